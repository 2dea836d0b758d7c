"""A workspace's marks in Redis: the offset of the last change in each facet, the last version of each class.

A hash per workspace and epoch. Everything in it only grows, so that repeating or reordering marks does no harm:

    through         every change up to this offset has been marked
    floor           nothing that was read before this offset is good any more
    <facet>         the offset of the last change that touched the facet; at most the floor where it is absent
    v:<class>       the version of a class that has one
    s:<class>       a token of the last sweep of a class
    +<offset>       changes from this offset to the value are marked, and some before them are not yet

Marks without `through` (or a class without its version) are closed: Redis has forgotten, or never knew, and nothing is
served by them. Only whoever asks PostgreSQL can open them, and only if they were not forgotten once more since before
he asked; a change that comes late, after others whose marks are lost, must not. Until then they hold:

    seen            the highest offset that was marked
    w:<class>       the highest version that was told
    ?<token>        somebody asks PostgreSQL
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from convex_common.feed import LiveEvent, LiveMessage
from convex_common.redis.cache.keys import marks_key
from convex_common.redis.resp import Part, command
from convex_common.redis.script import Script

KEPT_MS: Final = 24 * 3600 * 1000
"""How long the marks of a workspace outlive their last change; longer than anything that was cached under them."""

MOST_FACETS: Final = 20_000
"""Facets of a workspace, and more than that are forgotten by raising the floor."""

_MOST_AT_ONCE: Final = 2_000

THROUGH, FLOOR = "through", "floor"

_SHARED: Final = b"""
local marks = KEYS[1]
local function known(name) return tonumber(redis.call('HGET', marks, name) or nil) end
local function raise(name, value)
  local before = known(name)
  if not before or before < value then redis.call('HSET', marks, name, value) end
end
local function collapse(highest)
  local all, kept = redis.call('HGETALL', marks), {}
  for i = 1, #all, 2 do
    local name, value = all[i], tonumber(all[i + 1])
    local start = string.sub(name, 1, 1)
    if start == '+' or name == 'through' or name == 'floor' or name == 'seen' then
      if value and value > highest then highest = value end
    elseif string.find(name, '^[vsw]:') then
      kept[#kept + 1] = name
      kept[#kept + 1] = all[i + 1]
    end
  end
  redis.call('DEL', marks)
  redis.call('HSET', marks, 'through', highest, 'floor', highest, unpack(kept))
end
"""

# ARGV: first offset, last offset, how long to keep, most fields, 1 if anything may have changed; facet, offset, …
_MARK: Final = Script(
    _SHARED
    + b"""
local first, last = tonumber(ARGV[1]), tonumber(ARGV[2])
local through = known('through')
if not through then
  raise('seen', last)
elseif ARGV[5] == '1' or redis.call('HLEN', marks) > tonumber(ARGV[4]) then
  collapse(last)
else
  local names, offsets = {}, {}
  for i = 6, #ARGV, 2 do
    names[#names + 1], offsets[#offsets + 1] = ARGV[i], tonumber(ARGV[i + 1])
  end
  local before, set = redis.call('HMGET', marks, unpack(names)), {}
  for i, name in ipairs(names) do
    if not before[i] or tonumber(before[i]) < offsets[i] then
      set[#set + 1], set[#set + 2] = name, offsets[i]
    end
  end
  if first <= through + 1 then
    local reached = math.max(through, last)
    local next = redis.call('HGET', marks, '+' .. (reached + 1))
    while next do
      redis.call('HDEL', marks, '+' .. (reached + 1))
      reached = tonumber(next)
      next = redis.call('HGET', marks, '+' .. (reached + 1))
    end
    set[#set + 1], set[#set + 2] = 'through', reached
  else
    set[#set + 1], set[#set + 2] = '+' .. first, last
  end
  redis.call('HSET', marks, unpack(set))
end
redis.call('PEXPIRE', marks, ARGV[3])
return 1
"""
)

# ARGV: offset that must be reached, or ''; how long to keep; token, or ''; class, version, …
_RAISE: Final = Script(
    _SHARED
    + b"""
local offset, through = tonumber(ARGV[1]), known('through')
local opens = ARGV[3] ~= '' and redis.call('HDEL', marks, '?' .. ARGV[3]) == 1
if offset and ((through and through < offset) or (opens and not through)) then collapse(offset) end
for i = 4, #ARGV, 2 do
  local name, pending, version = 'v:' .. ARGV[i], 'w:' .. ARGV[i], tonumber(ARGV[i + 1])
  if known(name) then
    raise(name, version)
  else
    raise(pending, version)
    if opens then
      redis.call('HSET', marks, name, known(pending))
      redis.call('HDEL', marks, pending)
    end
  end
end
redis.call('PEXPIRE', marks, ARGV[2])
return 1
"""
)


@dataclass(frozen=True, slots=True)
class Call:
    """A script's run: by its digest, and by its text for a server that does not know it yet."""

    script: Script
    arguments: tuple[Part, ...]

    def by_digest(self) -> bytes:
        """The command that usually does."""
        return command("EVALSHA", self.script.sha, *self.arguments)

    def by_text(self) -> bytes:
        """The command after a NOSCRIPT."""
        return command("EVAL", self.script.text, *self.arguments)


def mark(prefix: str, events: Sequence[LiveEvent]) -> Call:
    """Marks what one transaction's events, all of one workspace and epoch, have changed."""
    facets: dict[str, int] = {}
    for event in events:
        facets.update(dict.fromkeys(event.facets, event.offset))
    offsets = [event.offset for event in events]
    anything = not all(event.facets for event in events) or len(facets) > _MOST_AT_ONCE
    pairs = [] if anything else [part for pair in facets.items() for part in pair]
    key = marks_key(prefix, events[0].workspace_id, events[0].epoch)
    return Call(_MARK, (1, key, min(offsets), max(offsets), KEPT_MS, MOST_FACETS, int(anything), *pairs))


def marks_of(prefix: str, messages: Iterable[LiveMessage]) -> list[Call]:
    """One call for each workspace among the messages of one publish."""
    found: dict[tuple[UUID, UUID], list[LiveEvent]] = {}
    for message in messages:
        if isinstance(message, LiveEvent):
            found.setdefault((message.workspace_id, message.epoch), []).append(message)
    return [mark(prefix, events) for events in found.values()]


def asking(prefix: str, workspace_id: UUID, epoch: UUID, token: int) -> bytes:
    """Two commands to send before PostgreSQL is asked for what the marks are to be opened with, with the same token."""
    key = marks_key(prefix, workspace_id, epoch)
    return command("HSET", key, f"?{token}", 1) + command("PEXPIRE", key, KEPT_MS)


def raised(
    prefix: str,
    workspace_id: UUID,
    epoch: UUID,
    *,
    offset: int | None,
    versions: Mapping[str, int],
    token: int | None = None,
) -> Call:
    """Makes the marks say `offset` and the versions at least, and closes gaps by the floor.

    With a token it opens what is closed, provided that the token is there still.
    """
    pairs = [part for pair in versions.items() for part in pair]
    key = marks_key(prefix, workspace_id, epoch)
    told = ("" if offset is None else offset, KEPT_MS, "" if token is None else token)
    return Call(_RAISE, (1, key, *told, *pairs))
