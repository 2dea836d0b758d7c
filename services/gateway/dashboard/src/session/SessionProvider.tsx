import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import { SignIn } from "./SignIn";
import { Starting } from "./Starting";
import { currentSession, type Me, mayAs, Refused, type Role, type SessionState, signOut, whenDoubted } from "./session";

interface Session {
  me: Me;
  /** Whether the caller's role is enough. */
  may: (needed: Role) => boolean;
  /** Ends the session, here and at the server. */
  leave: () => Promise<void>;
  /** The server no longer knows the session: asks again, and shows the sign-in if it is so. */
  recheck: () => Promise<void>;
}

const Context = createContext<Session | null>(null);

/** Who is signed in, for everything below; for nobody it shows the sign-in instead. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [state, setState] = useState<SessionState | null>(null);
  const [message, setMessage] = useState(failureInAddress);
  const [attempt, setAttempt] = useState(0);
  const [unreachable, setUnreachable] = useState<string | null>(null);
  const queries = useQueryClient();

  const take = useCallback(
    (next: SessionState) => {
      setState((before) => {
        if (before?.session && before.session.user_id !== next.session?.user_id) queries.clear();
        return next;
      });
    },
    [queries],
  );

  useEffect(() => {
    if (state !== null) return;
    let wanted = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    currentSession().then(
      (next) => {
        if (!wanted) return;
        setUnreachable(null);
        take(next);
      },
      (error: unknown) => {
        if (!wanted) return;
        if (error instanceof Refused && error.status === 401) {
          take({ ways: ["token"], session: null });
          setMessage(error.message);
          return;
        }
        setUnreachable(error instanceof Error ? error.message : String(error));
        timer = setTimeout(() => setAttempt((before) => before + 1), Math.min(15_000, 1000 * 2 ** attempt));
      },
    );
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [attempt, state, take]);

  const leave = useCallback(async () => {
    try {
      await signOut();
    } catch (error) {
      if (!(error instanceof Refused && error.status === 401)) throw error;
    }
    setMessage("");
    take(await currentSession());
  }, [take]);

  const recheck = useCallback(async () => {
    try {
      const next = await currentSession();
      if (next.session === null) setMessage(ENDED);
      take(next);
    } catch (error) {
      // Where nobody can be asked, whoever is signed in stays.
      if (!(error instanceof Refused && error.status === 401)) return;
      setMessage(ENDED);
      take({ ways: ["token"], session: null });
    }
  }, [take]);

  useEffect(() => whenDoubted(() => void recheck()), [recheck]);

  const me = state?.session ?? null;
  const session = useMemo<Session | null>(
    () => (me === null ? null : { me, may: (needed) => mayAs(me.role, needed), leave, recheck }),
    [me, leave, recheck],
  );

  if (state === null) return <Starting problem={unreachable} />;
  if (session === null) {
    return (
      <SignIn
        ways={state.ways}
        message={message}
        onSignedIn={(next) => {
          setMessage("");
          take(next);
        }}
      />
    );
  }
  return (
    <Context value={session} key={`${session.me.workspace.id} ${session.me.user_id}`}>
      {children}
    </Context>
  );
}

export function useSession(): Session {
  const session = useContext(Context);
  if (session === null) throw new Error("useSession is used outside of SessionProvider");
  return session;
}

/** Who is signed in, and what they may. */
export function useMe(): Me & { may: (needed: Role) => boolean } {
  const { me, may } = useSession();
  return useMemo(() => ({ ...me, may }), [me, may]);
}

/** The same words whoever notices it first: a request, the live feed or another tab. */
const ENDED = "Your session has ended. Sign in again.";

const FAILURES: Record<string, string> = {
  refused: "The identity provider did not sign you in.",
  expired: "That took too long, or began in another browser. Try again.",
  unavailable: "Signing in does not work right now. Try again later.",
  "too-many": "Too many have tried to sign in from here. Wait a minute, then try again.",
  "no-member":
    "You are signed in at the identity provider, but no workspace here has you as a member. Ask an admin to add you.",
};

/** What went wrong at the identity provider is told in the fragment, which leaves the address bar at once. */
function failureInAddress(): string {
  const code = new URLSearchParams(location.hash.slice(1)).get("sign-in");
  if (code === null) return "";
  history.replaceState(history.state, "", location.pathname + location.search);
  return FAILURES[code] ?? FAILURES["refused"] ?? "";
}
