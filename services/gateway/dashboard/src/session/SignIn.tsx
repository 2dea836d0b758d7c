import { type FormEvent, useEffect, useRef, useState } from "react";
import { Button, buttonClass, Problem, TextArea } from "../design";
import { nameOfPage } from "../design/documentTitle";
import { Logo } from "../design/Logo";
import styles from "./SignIn.module.css";
import { type SessionState, signIn, type Way } from "./session";

export interface SignInProps {
  ways: readonly Way[];
  message: string;
  onSignedIn: (state: SessionState) => void;
}

/** A token is exchanged for the session's cookie; where there is an identity provider, it comes first. */
export function SignIn({ ways, message, onSignedIn }: SignInProps) {
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(message);
  const first = useRef<HTMLElement>(null);
  useEffect(() => nameOfPage("Sign in"), []);
  useEffect(() => setProblem(message), [message]);
  useEffect(() => first.current?.focus(), []);

  const send = async (event: FormEvent) => {
    event.preventDefault();
    const given = token.trim();
    if (busy || !given) return;
    setBusy(true);
    setProblem("");
    setToken("");
    try {
      onSignedIn(await signIn(given));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };

  const here = location.pathname + location.search + location.hash;
  const oidc = ways.includes("oidc");
  return (
    <main className={styles["sign-in"]}>
      <div className={styles["card"]}>
        <div className={styles["brand"]}>
          <Logo />
          <h1>Sign in to Convex Alerts</h1>
        </div>
        {problem ? <Problem error={problem} /> : null}
        {oidc ? (
          <>
            <a
              ref={(link) => {
                first.current = link;
              }}
              className={buttonClass("primary")}
              href={`/auth/oidc/login?to=${encodeURIComponent(here)}`}
            >
              Sign in with your identity provider
            </a>
            <p className={styles["or"]}>or with a token</p>
          </>
        ) : null}
        <form onSubmit={send} className={styles["form"]} autoComplete="off">
          <TextArea
            label="Token or API key"
            hint={
              <>
                On your own machine, <code>convex dev token</code> prints one.
              </>
            }
            rows={4}
            value={token}
            onChange={(change) => setToken(change.target.value)}
            onKeyDown={(press) => {
              if (press.key === "Enter" && !press.shiftKey) press.currentTarget.form?.requestSubmit();
            }}
            autoFocus={!oidc}
            spellCheck={false}
            autoCapitalize="off"
            required
          />
          <Button type="submit" kind={oidc ? "plain" : "primary"} busy={busy}>
            Sign in
          </Button>
        </form>
      </div>
    </main>
  );
}
