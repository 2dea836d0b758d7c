import { Button, type ButtonProps, useToast } from "../design";
import { useMe } from "../session/SessionProvider";
import type { Role } from "../session/session";

/** Why the caller may not do what takes a role, or null where they may. */
export function useDenial(): (needed: Role) => string | null {
  const { may, role } = useMe();
  return (needed) => (may(needed) ? null : `This takes the role ${needed}; yours is ${role}. Ask an admin.`);
}

/** A button for who has the role; for others it says why not, and does nothing. `denied` is a further reason. */
export function Guarded({
  needs,
  denied,
  ...button
}: ButtonProps & { needs: Role; denied?: string | null | undefined }) {
  const denial = useDenial()(needs) ?? denied ?? null;
  const say = useToast();
  if (denial === null) return <Button {...button} />;
  const { onClick: _, ...rest } = button;
  return (
    <Button
      {...rest}
      type="button"
      title={denial}
      aria-disabled="true"
      aria-description={denial}
      onClick={() => say(denial, "problem")}
    />
  );
}
