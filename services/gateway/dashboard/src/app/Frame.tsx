import { Menu } from "@base-ui/react/menu";
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { classes, useToast } from "../design";
import { Logo } from "../design/Logo";
import { useSession } from "../session/SessionProvider";
import { switchWorkspace } from "../session/session";
import styles from "./Frame.module.css";
import { ShortcutHelp } from "./ShortcutHelp";
import { SECTIONS } from "./sections";
import { chooseTheme, type Theme, useTheme } from "./theme";
import { useShortcutKeys, useShortcuts } from "./useShortcuts";

const GROUPS = { alerts: "Alerting", operation: "Operation" } as const;

/** What stands around every page: the bar with workspace, connection and person, and the navigation. */
export function Frame({ status }: { status?: ReactNode }) {
  const [help, setHelp] = useState(false);
  const [open, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const navigate = useNavigate();
  const { pathname } = useLocation();
  useShortcutKeys();
  useShortcuts([
    { keys: "?", says: "Show these shortcuts", group: "Anywhere", run: () => setHelp(true) },
    ...SECTIONS.map(({ to, name, key }) => ({
      keys: `g ${key}`,
      says: `Go to ${name.toLowerCase()}`,
      group: "Anywhere",
      run: () => void navigate({ to }),
    })),
  ]);

  // A page that one comes to has the focus at its heading, as a page that is loaded has it at its start.
  const before = useRef(pathname);
  useEffect(() => {
    if (before.current === pathname) return;
    before.current = pathname;
    setOpen(false);
    // The heading may be that of a page that has gone out of sight while the next one is fetched: it takes no focus.
    const heading = main.current?.querySelector<HTMLElement>("h1");
    (heading?.checkVisibility() ? heading : main.current)?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [pathname]);

  return (
    <div className={styles["frame"]}>
      <a className={styles["skip"]} href="#main">
        Skip to the page
      </a>
      <header className={styles["bar"]}>
        <button
          type="button"
          className={styles["burger"]}
          aria-expanded={open}
          aria-controls="navigation"
          onClick={() => setOpen(!open)}
        >
          <span aria-hidden="true">☰</span>
          <span className="visually-hidden">Navigation</span>
        </button>
        <Link to="/" className={styles["brand"]} aria-label="Convex Alerts: all alerts">
          <Logo size={24} />
          <span className={styles["name"]}>Convex Alerts</span>
        </Link>
        <Workspaces />
        <div className={styles["status"]}>{status}</div>
        <Person onHelp={() => setHelp(true)} />
      </header>
      <nav
        id="navigation"
        className={classes(styles["navigation"], open && styles["open"])}
        aria-label="Pages"
        onKeyDown={(press) => press.key === "Escape" && setOpen(false)}
      >
        {(["alerts", "operation"] as const).map((group) => (
          <div key={group}>
            <p className={styles["group"]}>{GROUPS[group]}</p>
            <ul>
              {SECTIONS.filter((section) => section.group === group).map(({ to, name, key }) => (
                <li key={to}>
                  <Link
                    to={to}
                    className={styles["link"]}
                    activeProps={{ "aria-current": "page" }}
                    activeOptions={{ exact: to === "/", includeSearch: false }}
                    onClick={() => setOpen(false)}
                  >
                    {name}
                    <span className={styles["hint"]} aria-hidden="true">
                      g {key}
                    </span>
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        ))}
        <p className={styles["aside"]}>
          <a href="/docs">API</a>
        </p>
      </nav>
      <main id="main" ref={main} tabIndex={-1} className={styles["main"]}>
        <Outlet />
      </main>
      <ShortcutHelp open={help} onClose={() => setHelp(false)} />
    </div>
  );
}

/** Which workspace it is; a choice, for who is at home in several. */
function Workspaces() {
  const { me } = useSession();
  const say = useToast();
  if (me.workspaces.length < 2) return <span className={styles["workspace"]}>{me.workspace.name}</span>;
  const choose = async (id: string) => {
    try {
      await switchWorkspace(id);
      location.assign("/");
    } catch (error) {
      say(error instanceof Error ? error.message : String(error), "problem");
    }
  };
  return (
    <select
      aria-label="Workspace"
      className={classes(styles["workspace"], styles["choice"])}
      value={me.workspace.id}
      onChange={(change) => void choose(change.target.value)}
    >
      {me.workspaces.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </select>
  );
}

const THEMES: readonly (readonly [Theme, string])[] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

/** Who is signed in, how it looks, and the way out. */
function Person({ onHelp }: { onHelp: () => void }) {
  const { me, leave } = useSession();
  const say = useToast();
  const theme = useTheme();
  const name = me.name || me.user_id;
  const out = async () => {
    try {
      await leave();
    } catch (error) {
      say(`You are still signed in. ${error instanceof Error ? error.message : String(error)}`, "problem");
    }
  };
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className={styles["person"]} aria-label={`${name}: account and appearance`}>
        <span aria-hidden="true">{(Array.from(name)[0] ?? "?").toUpperCase()}</span>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner align="end" sideOffset={6} className={styles["positioner"]}>
          <Menu.Popup className={styles["menu"]}>
            <div className={styles["who"]}>
              <strong>{name}</strong>
              <span>
                {me.role} in {me.workspace.name}
              </span>
            </div>
            <Menu.RadioGroup value={theme} onValueChange={(value) => chooseTheme(value as Theme)}>
              {THEMES.map(([value, label]) => (
                <Menu.RadioItem key={value} value={value} closeOnClick={false} className={styles["item"]}>
                  <span className={styles["mark"]}>
                    <Menu.RadioItemIndicator>✓</Menu.RadioItemIndicator>
                  </span>
                  {label}
                </Menu.RadioItem>
              ))}
            </Menu.RadioGroup>
            <Menu.Separator className={styles["separator"]} />
            <Menu.Item className={styles["item"]} onClick={onHelp}>
              <span className={styles["mark"]} />
              Keyboard shortcuts <kbd>?</kbd>
            </Menu.Item>
            <Menu.Item className={styles["item"]} onClick={() => void out()}>
              <span className={styles["mark"]} />
              Sign out
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
