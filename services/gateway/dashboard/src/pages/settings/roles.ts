import { mayAs, type Role } from "../../session/session";

export const ROLES: readonly Role[] = ["viewer", "responder", "editor", "admin", "owner"];

/** The roles that somebody of this role may give: none above their own. */
export function rolesToGive(own: Role): Role[] {
  return ROLES.filter((role) => mayAs(own, role));
}
