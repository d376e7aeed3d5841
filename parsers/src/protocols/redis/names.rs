//! The commands that are known, and where each has its key.

use smallvec::SmallVec;

/// Where a command has its key.
#[derive(Clone, Copy, Default)]
pub(super) enum Shape {
    /// Nowhere.
    #[default]
    Bare,
    /// It is this argument; the command's name is number 0.
    Key(usize),
    /// It is this argument, unless the one before is a count of 0.
    Counted(usize),
    /// A subcommand comes first; then as with `Key`, or nowhere if 0.
    Sub(usize),
    /// After the word `STREAMS`.
    Streams,
    /// A login.
    Login,
    /// Each argument is a channel.
    Channels(&'static str),
    /// `MONITOR`.
    Monitor,
    /// `SYNC` and `PSYNC`.
    Copy,
}

impl Shape {
    pub(super) fn need(self) -> usize {
        match self {
            Self::Key(key) | Self::Counted(key) => key + 1,
            Self::Sub(key) => key.max(1) + 1,
            Self::Streams | Self::Channels(_) => 2,
            Self::Bare | Self::Login | Self::Monitor | Self::Copy => 1,
        }
    }

    pub(super) fn key(self) -> Option<usize> {
        match self {
            Self::Key(key) | Self::Counted(key) => Some(key),
            Self::Channels(_) => Some(1),
            Self::Sub(key) if key > 0 => Some(key),
            _ => None,
        }
    }
}

/// How a known command is laid out; its name in upper case.
pub(super) fn known_shape(name: &[u8]) -> Option<Shape> {
    if KEYED.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok() {
        return Some(Shape::Key(1));
    }
    let place = OTHERS.binary_search_by(|(known, _)| known.as_bytes().cmp(name)).ok()?;
    OTHERS.get(place).map(|(_, shape)| *shape)
}

pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    KEYED.iter().chain(OTHERS.iter().map(|(known, _)| known)).copied()
}

pub(super) fn is_command(name: &[u8]) -> bool {
    let name: SmallVec<[u8; NAME_LIMIT]> = name.iter().map(u8::to_ascii_uppercase).collect();
    known_shape(&name).is_some()
}

/// Commands of Redis 8 and Valkey 8 whose first argument is a key, sorted.
#[rustfmt::skip]
const KEYED: &[&str] = &[
    "APPEND", "BITCOUNT", "BITFIELD", "BITFIELD_RO", "BITPOS", "BLMOVE", "BLPOP", "BRPOP",
    "BRPOPLPUSH", "BZPOPMAX", "BZPOPMIN", "COPY", "DECR", "DECRBY", "DEL", "DELEX", "DIGEST",
    "DUMP", "EXISTS", "EXPIRE", "EXPIREAT", "EXPIRETIME", "GEOADD", "GEODIST", "GEOHASH", "GEOPOS",
    "GEORADIUS", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO", "GEORADIUS_RO", "GEOSEARCH",
    "GEOSEARCHSTORE", "GET", "GETBIT", "GETDEL", "GETEX", "GETRANGE", "GETSET", "HDEL", "HEXISTS",
    "HEXPIRE", "HEXPIREAT", "HEXPIRETIME", "HGET", "HGETALL", "HGETDEL", "HGETEX", "HINCRBY",
    "HINCRBYFLOAT", "HKEYS", "HLEN", "HMGET", "HMSET", "HPERSIST", "HPEXPIRE", "HPEXPIREAT",
    "HPEXPIRETIME", "HPTTL", "HRANDFIELD", "HSCAN", "HSET", "HSETEX", "HSETNX", "HSTRLEN", "HTTL",
    "HVALS", "INCR", "INCRBY", "INCRBYFLOAT", "LCS", "LINDEX", "LINSERT", "LLEN", "LMOVE", "LPOP",
    "LPOS", "LPUSH", "LPUSHX", "LRANGE", "LREM", "LSET", "LTRIM", "MGET", "MOVE", "MSET", "MSETNX",
    "PERSIST", "PEXPIRE", "PEXPIREAT", "PEXPIRETIME", "PFADD", "PFCOUNT", "PFMERGE", "PSETEX",
    "PTTL", "PUBLISH", "RENAME", "RENAMENX", "RESTORE", "RPOP", "RPOPLPUSH", "RPUSH", "RPUSHX",
    "SADD", "SCARD", "SDIFF", "SDIFFSTORE", "SET", "SETBIT", "SETEX", "SETNX", "SETRANGE", "SINTER",
    "SINTERSTORE", "SISMEMBER", "SMEMBERS", "SMISMEMBER", "SMOVE", "SORT", "SORT_RO", "SPOP",
    "SPUBLISH", "SRANDMEMBER", "SREM", "SSCAN", "STRLEN", "SUBSTR", "SUNION", "SUNIONSTORE",
    "TOUCH", "TTL", "TYPE", "UNLINK", "WATCH", "XACK", "XACKDEL", "XADD", "XAUTOCLAIM", "XCLAIM",
    "XDEL", "XDELEX", "XLEN", "XPENDING", "XRANGE", "XREVRANGE", "XSETID", "XTRIM", "ZADD", "ZCARD",
    "ZCOUNT", "ZDIFFSTORE", "ZINCRBY", "ZINTERSTORE", "ZLEXCOUNT", "ZMSCORE", "ZPOPMAX", "ZPOPMIN",
    "ZRANDMEMBER", "ZRANGE", "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZRANGESTORE", "ZRANK", "ZREM",
    "ZREMRANGEBYLEX", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE", "ZREVRANGE", "ZREVRANGEBYLEX",
    "ZREVRANGEBYSCORE", "ZREVRANK", "ZSCAN", "ZSCORE", "ZUNIONSTORE",
];

/// All others, sorted by name.
#[rustfmt::skip]
const OTHERS: &[(&str, Shape)] = &[
    ("ACL", Shape::Sub(0)), ("ASKING", Shape::Bare), ("AUTH", Shape::Login),
    ("BGREWRITEAOF", Shape::Bare), ("BGSAVE", Shape::Bare), ("BITOP", Shape::Key(2)),
    ("BLMPOP", Shape::Counted(3)), ("BZMPOP", Shape::Counted(3)), ("CLIENT", Shape::Sub(0)),
    ("CLUSTER", Shape::Sub(0)), ("COMMAND", Shape::Sub(0)), ("CONFIG", Shape::Sub(0)),
    ("DBSIZE", Shape::Bare), ("DEBUG", Shape::Sub(0)), ("DISCARD", Shape::Bare),
    ("ECHO", Shape::Bare), ("EVAL", Shape::Counted(3)), ("EVALSHA", Shape::Counted(3)),
    ("EVALSHA_RO", Shape::Counted(3)), ("EVAL_RO", Shape::Counted(3)), ("EXEC", Shape::Bare),
    ("FAILOVER", Shape::Bare), ("FCALL", Shape::Counted(3)), ("FCALL_RO", Shape::Counted(3)),
    ("FLUSHALL", Shape::Bare), ("FLUSHDB", Shape::Bare), ("FUNCTION", Shape::Sub(0)),
    ("HELLO", Shape::Login), ("INFO", Shape::Bare), ("KEYS", Shape::Bare),
    ("LASTSAVE", Shape::Bare), ("LATENCY", Shape::Sub(0)), ("LMPOP", Shape::Counted(2)),
    ("LOLWUT", Shape::Bare), ("MEMORY", Shape::Sub(2)), ("MIGRATE", Shape::Key(3)),
    ("MODULE", Shape::Sub(0)), ("MONITOR", Shape::Monitor), ("MULTI", Shape::Bare),
    ("OBJECT", Shape::Sub(2)), ("PFDEBUG", Shape::Key(2)), ("PFSELFTEST", Shape::Bare),
    ("PING", Shape::Bare), ("PSUBSCRIBE", Shape::Channels("PSUBSCRIBE")), ("PSYNC", Shape::Copy),
    ("PUBSUB", Shape::Sub(0)), ("PUNSUBSCRIBE", Shape::Channels("PUNSUBSCRIBE")),
    ("QUIT", Shape::Bare), ("RANDOMKEY", Shape::Bare), ("READONLY", Shape::Bare),
    ("READWRITE", Shape::Bare), ("REPLCONF", Shape::Sub(0)), ("REPLICAOF", Shape::Bare),
    ("RESET", Shape::Bare), ("ROLE", Shape::Bare), ("SAVE", Shape::Bare), ("SCAN", Shape::Bare),
    ("SCRIPT", Shape::Sub(0)), ("SELECT", Shape::Bare), ("SENTINEL", Shape::Sub(0)),
    ("SHUTDOWN", Shape::Bare), ("SINTERCARD", Shape::Counted(2)), ("SLAVEOF", Shape::Bare),
    ("SLOWLOG", Shape::Sub(0)), ("SSUBSCRIBE", Shape::Channels("SSUBSCRIBE")),
    ("SUBSCRIBE", Shape::Channels("SUBSCRIBE")), ("SUNSUBSCRIBE", Shape::Channels("SUNSUBSCRIBE")),
    ("SWAPDB", Shape::Bare), ("SYNC", Shape::Copy), ("TIME", Shape::Bare),
    ("UNSUBSCRIBE", Shape::Channels("UNSUBSCRIBE")), ("UNWATCH", Shape::Bare),
    ("WAIT", Shape::Bare), ("WAITAOF", Shape::Bare), ("XGROUP", Shape::Sub(2)),
    ("XINFO", Shape::Sub(2)), ("XREAD", Shape::Streams), ("XREADGROUP", Shape::Streams),
    ("ZDIFF", Shape::Counted(2)), ("ZINTER", Shape::Counted(2)), ("ZINTERCARD", Shape::Counted(2)),
    ("ZMPOP", Shape::Counted(2)), ("ZUNION", Shape::Counted(2)),
];

/// Of the name of a command, a push or an error.
pub(super) const NAME_LIMIT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_names_are_sorted() {
        assert!(KEYED.is_sorted());
        assert!(OTHERS.is_sorted_by_key(|(name, _)| name));
    }
}
