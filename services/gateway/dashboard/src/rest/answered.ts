import { Refused } from "../session/session";

interface Answer<Data> {
  data?: Data | undefined;
  error?: unknown;
  response: Response;
}

/** What the server answered, or Refused with its problem. */
export async function answered<Data>(asked: Promise<Answer<Data>>): Promise<Data> {
  const { data, error, response } = await asked;
  if (!response.ok) throw new Refused(response.status, isObject(error) ? error : {});
  return data as Data;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object";
}

export interface PageOf<Item> {
  items: Item[];
  next_cursor: string | null;
}

export const PAGE = 200;
const MOST = 5000;

/** All pages of a list that is not long, one after the other; beyond 5,000 it stops. */
export async function everyPage<Item>(page: (cursor: string | undefined) => Promise<PageOf<Item>>): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const { items: some, next_cursor } = await page(cursor);
    items.push(...some);
    cursor = next_cursor ?? undefined;
  } while (cursor !== undefined && items.length < MOST);
  return items;
}

/** A cursor as a query has it: none is left out. */
export const from = (cursor: string | undefined): { cursor?: string } => (cursor === undefined ? {} : { cursor });
