"""What Redis runs for the broker, in Lua; each script is one step that nothing comes between.

Floor 1. Needs Redis 6.2 or Valkey. KEYS[1] is the log's hash, whose name ends in `:log`; the
other keys are named after it and share its hash tag:

- `...:log`: `run` (the server process that the epoch belongs to), `epoch`, `seq` (the last one
  given out), `life` (part of the other keys' names: what is left of a lost log is not read),
  `forgotten` (see `Batch.trimmed`), `tick` and `cut` (for the age, below).
- `...:<life>:last`: for each channel the seq of its last entry, a sorted set.
- `...:<life>:channel:<name>`: a stream. An entry's id is `<seq>-0`; it has its body `b`, and `p`,
  the seq of the channel's entry before it. So what was removed last, by whatever trimmed the
  stream, is the `p` of its first entry, or the channel's last seq where the stream is gone.
- `...:<life>:ticks`: which seq was the last at a time, to tell which entries are too old.
"""

from __future__ import annotations

from .base import MAX_CHANNELS, PAGE_BYTES
from .redis_link import Script

# Entries that a poll takes out of a stream at once, before it looks how large they are.
CHUNK = 20

# ARGV: the server's run_id, a new epoch's name, the epoch and the seq that the caller has seen.
# A log that is gone, belongs to another process of the server (after a crash it has lost its
# last entries, and a replica may never have had them) or is behind what was seen is a new epoch.
BEGIN = """
local log = KEYS[1]
local found = redis.call('HMGET', log, 'run', 'epoch', 'seq', 'life', 'forgotten')
local epoch, seq, life = found[2], tonumber(found[3] or 0), found[4]
local forgotten = tonumber(found[5] or 0)
local stem = string.sub(log, 1, -4)
local lost = not life or (seq > 0 and redis.call('EXISTS', stem .. life .. ':last') == 0)
if lost or found[1] ~= ARGV[1] or (epoch == ARGV[3] and seq < tonumber(ARGV[4])) then
  epoch = ARGV[2]
  if lost then
    redis.call('DEL', log)
    life, seq, forgotten = epoch, 0, 0
  end
  redis.call('HSET', log, 'run', ARGV[1], 'epoch', epoch, 'life', life)
end
local last = stem .. life .. ':last'
local ticks = stem .. life .. ':ticks'
local function stream_of(channel) return stem .. life .. ':channel:' .. channel end
local function seq_of(row) return tonumber(string.match(row[1], '^%d+')) end
"""

NEWEST = Script(BEGIN + "return {epoch, seq}")

# ARGV[5...]: channel, body, history (entries), age (milliseconds), who is to be told.
APPEND = Script(
    BEGIN
    + f"""
local channel, body, age = ARGV[5], ARGV[6], tonumber(ARGV[8])
seq = redis.call('HINCRBY', log, 'seq', 1)
local stream, before = stream_of(channel), redis.call('ZSCORE', last, channel)
redis.call('ZADD', last, seq, channel)
redis.call('XADD', stream, 'MAXLEN', '~', ARGV[7], string.format('%d-0', seq),
  'p', before or forgotten, 'b', body)
if not before and redis.call('ZCARD', last) > {MAX_CHANNELS} then
  local gone = redis.call('ZPOPMIN', last)
  redis.call('DEL', stream_of(gone[1]))
  redis.call('HSET', log, 'forgotten', gone[2])
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local marks = redis.call('HMGET', log, 'tick', 'cut')
local tick, cut = tonumber(marks[1] or 0), tonumber(marks[2] or 0)
if now < tick or now - tick >= age / 32 then
  redis.call('ZADD', ticks, now, seq)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', ticks, '-inf', now - age)) do
    cut = math.max(cut, tonumber(old))
  end
  redis.call('ZREMRANGEBYSCORE', ticks, '-inf', now - age)
  redis.call('PEXPIRE', ticks, age * 2)
  redis.call('HSET', log, 'tick', now, 'cut', cut)
end
if cut > 0 then redis.call('XTRIM', stream, 'MINID', string.format('%d', cut + 1)) end
redis.call('PEXPIRE', stream, age)
redis.call('PUBLISH', ARGV[9], '')
return {{epoch, seq}}
"""
)

# ARGV[5...]: channel, after, limit. The seqs are one text: a driver in Python reads it faster.
READ = Script(
    BEGIN
    + """
local channel, after, limit = ARGV[5], tonumber(ARGV[6]), ARGV[7]
local stream = stream_of(channel)
local start = string.format('%d', after + 1)
local heads, bodies = {}, {}
for _, row in ipairs(redis.call('XRANGE', stream, start, '+', 'COUNT', limit)) do
  table.insert(heads, string.format('%d', seq_of(row)))
  table.insert(bodies, row[2][4])
end
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
local trimmed = first and tonumber(first[2][2])
  or tonumber(redis.call('ZSCORE', last, channel) or forgotten)
return {epoch, seq, trimmed, table.concat(heads, ' '), bodies}
"""
)

# ARGV[5...]: after, limit, channels. `till` is the seq up to which the answer is complete; what
# is found brings it down as soon as it is more than enough, so that little is read in vain. For
# each entry, the text has its seq and which one of the channels it belongs to.
POLL = Script(
    BEGIN
    + f"""
local after, limit, room = tonumber(ARGV[5]), tonumber(ARGV[6]), {PAGE_BYTES}
local till, found, size, trimmed = seq, {{}}, 0, {{}}

local function narrow()
  table.sort(found, function(one, other) return one[1] < other[1] end)
  local kept = {{}}
  size = 0
  for _, entry in ipairs(found) do
    if entry[1] > till then break end
    table.insert(kept, entry)
    size = size + #entry[3]
    if #kept >= limit or size >= room then till = entry[1] end
  end
  found = kept
end

local function range(stream, from, count)
  return redis.call('XRANGE', stream, string.format('%d', from + 1),
    string.format('%d', till), 'COUNT', count)
end

local function read(index, channel, newest)
  local stream = stream_of(channel)
  local from, count, bytes, first = after, 0, 0, nil
  repeat
    local rows = range(stream, from, math.min(limit - count, {CHUNK}))
    first = first or rows[1]
    for _, row in ipairs(rows) do
      from = seq_of(row)
      table.insert(found, {{from, index, row[2][4]}})
      bytes = bytes + #row[2][4]
    end
    count = count + #rows
    if count >= limit or bytes >= room then till = from end
  until #rows == 0 or from >= till
  first = first or redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local gone = first and tonumber(first[2][2]) or newest
  if gone > after then table.insert(trimmed, {{index, gone}}) end
  size = size + bytes
  if #found > 2 * limit or size > 2 * room then narrow() end
end

for index = 7, #ARGV, 1000 do
  local upto = math.min(index + 999, #ARGV)
  local scores = redis.call('ZMSCORE', last, unpack(ARGV, index, upto))
  for place, score in ipairs(scores) do
    local number = index + place - 1
    if not score then
      if forgotten > after then table.insert(trimmed, {{number - 7, forgotten}}) end
    elseif tonumber(score) > after then
      read(number - 7, ARGV[number], tonumber(score))
    end
  end
end
narrow()
local heads, bodies = {{}}, {{}}
for _, entry in ipairs(found) do
  table.insert(heads, string.format('%d %d', entry[1], entry[2]))
  table.insert(bodies, entry[3])
end
return {{epoch, seq, till, trimmed, table.concat(heads, ' '), bodies}}
"""
)

# ARGV[5...]: after, limit. The channels that got entries since; nothing where that is not known.
TOUCHED = Script(
    BEGIN
    + """
if forgotten > tonumber(ARGV[5]) then return {epoch, seq} end
return {epoch, seq, redis.call('ZRANGEBYSCORE', last, '(' .. ARGV[5], '+inf', 'LIMIT', 0, ARGV[6])}
"""
)
SCRIPTS = (NEWEST, APPEND, READ, POLL, TOUCHED)
