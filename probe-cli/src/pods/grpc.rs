//! Calls to gRPC services on Unix sockets of the node: bounded in time and size, with words for what went wrong. Which
//! services, and what their answers mean, is for those who call.

use std::{
    error::Error,
    fs::{File, Metadata},
    io,
    marker::PhantomData,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hyper_util::rt::TokioIo;
use nix::{fcntl::OFlag, unistd::geteuid};
use prost::{
    DecodeError, Message,
    bytes::{Buf, Bytes},
    encoding::{self, DecodeContext, WireType, decode_key, skip_field},
};
use tokio::{
    net::UnixStream,
    time::{Instant, sleep, timeout_at},
};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder},
    transport::{Channel, Endpoint, Uri},
};
use tonic_prost::{ProstCodec, ProstEncoder};
use tower::service_fn;

use crate::{
    files::{self, Root, root::shown},
    observed::Observed,
};

/// Longest text of somebody else's that is passed on.
const LONGEST_WORDS: usize = 300;
/// A listener whose queue is full refuses for now (unix(7), EAGAIN).
const AGAIN: Duration = Duration::from_millis(50);
/// Most entries of a list. A node has some hundreds of pods; a reply's bytes could hold millions of empty ones.
const MOST_ENTRIES: usize = 16_384;
/// Most messages and texts in the lists of all entries.
const MOST_NESTED: usize = 4 * MOST_ENTRIES;

/// A socket, as the host has it.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    /// None for a path of our own.
    root: Option<PathBuf>,
    path: PathBuf,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no such socket.
    Absent,
    /// Nobody may connect without this.
    Denied { need: String },
    /// Somebody else could answer instead: nobody listens, or who does has no such service.
    NotThis(String),
    /// The connection broke, which may have been there for long.
    Broken(String),
    /// The object that was asked about is gone.
    Gone(String),
    /// Anything else.
    Failed(String),
}

impl Trouble {
    pub(super) fn observed<T>(self) -> Observed<T> {
        match self {
            Self::Absent => Observed::Absent,
            Self::Denied { need } => Observed::Denied { need },
            Self::NotThis(error) | Self::Broken(error) | Self::Gone(error) | Self::Failed(error) => {
                Observed::Failed { error }
            }
        }
    }

    /// In words.
    pub(super) fn words(self) -> String {
        self.observed::<()>().trouble().unwrap_or_else(|| "there is no such socket".to_owned())
    }
}

impl Socket {
    /// One that is looked for below a host's root.
    pub(super) fn new(root: &Path, path: &Path) -> Self {
        Self { root: Some(root.to_owned()), path: path.to_owned() }
    }

    /// One that somebody chose, by a path of our own.
    pub(super) fn given(path: &Path) -> Self {
        Self { root: None, path: path.to_owned() }
    }

    /// Opens it without connecting.
    fn look(&self) -> io::Result<File> {
        let found = match &self.root {
            Some(root) => Root::open(root)?.look(&self.path, OFlag::empty())?,
            None => files::look(&self.path, OFlag::empty())?,
        };
        Ok(found.into())
    }

    pub(super) fn shown(&self) -> String {
        shown(self.root.as_deref().unwrap_or(Path::new("/")), &self.path)
    }

    /// Connects until `end`. The server has said nothing yet when this returns.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system has an error for everything")]
    pub(super) async fn connect(&self, within: Within) -> Result<Client, Trouble> {
        let name = self.shown();
        let trouble = |error: &io::Error| match error.kind() {
            _ if files::is_absent(error) => Trouble::Absent,
            io::ErrorKind::PermissionDenied => Trouble::Denied { need: format!("root to use {name}") },
            io::ErrorKind::ConnectionRefused => {
                Trouble::NotThis(format!("cannot connect to {name}: refused, nobody listens there"))
            }
            io::ErrorKind::InvalidData => Trouble::NotThis(format!("cannot trust {name}: {error}; {CHOOSE}")),
            _ => Trouble::Failed(format!("cannot connect to {name}: {error}")),
        };
        let socket = self.look().map_err(|error| trouble(&error))?;
        let metadata = socket.metadata().map_err(|error| trouble(&error))?;
        if !metadata.file_type().is_socket() {
            return Err(Trouble::NotThis(format!("cannot connect to {name}: it is not a socket")));
        }
        let is_looked_for = self.root.is_some();
        if is_looked_for && let Some(why) = not_roots(&metadata) {
            return Err(Trouble::NotThis(format!("cannot trust {name}: {why}; {CHOOSE}")));
        }
        // By its descriptor: a path below a root may be longer than an address, 108 bytes, and have links in it.
        let address = files::through(&socket);
        let connector = service_fn(move |_: Uri| {
            let address = address.clone();
            async move {
                let stream = UnixStream::connect(address).await?;
                let server = stream.peer_cred()?.uid();
                if is_looked_for && !is_ours(server) {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("user {server} answers there"),
                    ));
                }
                Ok(TokioIo::new(stream))
            }
        });
        // Only the connector knows where it is; a name has to be there.
        let endpoint = Endpoint::from_static("http://localhost");
        let end = within.end();
        loop {
            let error = match timeout_at(end, endpoint.connect_with_connector(connector.clone())).await {
                Ok(Ok(channel)) => return Ok(Client { channel, socket: Arc::new((socket, name)) }),
                Ok(Err(error)) => error,
                Err(_) => {
                    return Err(Trouble::Failed(format!(
                        "cannot connect to {name}: no connection was taken within {within}"
                    )));
                }
            };
            match io_cause(&error) {
                Some(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if timeout_at(end, sleep(AGAIN)).await.is_err() {
                        return Err(Trouble::Failed(format!(
                            "cannot connect to {name}: its queue was full for {within}"
                        )));
                    }
                }
                Some(error) => return Err(trouble(error)),
                None => return Err(Trouble::Failed(format!("cannot connect to {name}: {error}"))),
            }
        }
    }
}

/// The way out for a socket that is another user's on purpose.
const CHOOSE: &str = "name it with --cri-socket if it is the runtime's";

/// Why a socket that is found at a well-known place may be anybody's.
fn not_roots(metadata: &Metadata) -> Option<String> {
    const OTHERS_WRITE: u32 = 0o002;
    if !is_ours(metadata.uid()) {
        return Some(format!("it belongs to user {}, not to root", metadata.uid()));
    }
    (metadata.mode() & OTHERS_WRITE != 0).then(|| "every user may write it".to_owned())
}

/// Root, or who this runs as.
fn is_ours(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

/// How long something may take: a time of its own, and what is left of the time for everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Within {
    each: Duration,
    last: Instant,
}

impl Within {
    /// `each` for one step, `all` for all of them from now on.
    pub(super) fn new(each: Duration, all: Duration) -> Self {
        Self { each, last: Instant::now() + all }
    }

    fn end(self) -> Instant {
        (Instant::now() + self.each).min(self.last)
    }

    /// Nothing is left.
    pub(super) fn is_over(self) -> bool {
        Instant::now() >= self.last
    }
}

impl std::fmt::Display for Within {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s", self.each.as_secs_f64())
    }
}

/// A connection. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    channel: Channel,
    /// The open socket, which its address is made from, and its name for people.
    socket: Arc<(File, String)>,
}

impl Client {
    /// One call, whose reply has at most `longest` bytes. `method` is `/package.Service/Method`.
    pub(super) async fn call<Q, A>(
        &self,
        method: &str,
        request: Q,
        longest: usize,
        within: Within,
    ) -> Result<A, Trouble>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.ask(method, request, ProstCodec::<Q, A>::default(), longest, within).await
    }

    /// The same for a reply that is a list: the entries of its field 1.
    pub(super) async fn list<Q, T>(
        &self,
        method: &str,
        request: Q,
        longest: usize,
        within: Within,
    ) -> Result<Vec<T>, Trouble>
    where
        Q: Message + 'static,
        T: Entry + 'static,
    {
        self.ask(method, request, ListCodec::<Q, T>(PhantomData), longest, within).await
    }

    async fn ask<C>(
        &self,
        method: &str,
        request: C::Encode,
        codec: C,
        longest: usize,
        within: Within,
    ) -> Result<C::Decode, Trouble>
    where
        C: Codec,
        C::Encode: Send + Sync + 'static,
        C::Decode: Send + Sync + 'static,
    {
        let name = method.rsplit('/').next().unwrap_or(method);
        let what = || format!("{name} at {}", self.socket.1);
        let path = method.parse().map_err(|error| Trouble::Failed(format!("{}: {error}", what())))?;
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(longest);
        let asking = async {
            grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
            grpc.unary(Request::new(request), path, codec).await
        };
        match timeout_at(within.end(), asking).await {
            Ok(Ok(reply)) => Ok(reply.into_inner()),
            Ok(Err(status)) => Err(trouble(&what(), &status)),
            Err(_) => Err(Trouble::Failed(format!("{}: did not answer within {within}", what()))),
        }
    }
}

/// What the operating system said.
fn io_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

fn trouble(what: &str, status: &Status) -> Trouble {
    // What came over the wire has no source; what happened to the wire has.
    if let Some(mut cause) = status.source() {
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        return Trouble::Broken(format!("{what}: the connection broke: {}", bounded(&cause.to_string())));
    }
    let words = format!("{what}: answered {:?}: {}", status.code(), bounded(status.message()));
    if status.code() == Code::Unimplemented {
        Trouble::NotThis(words)
    } else if status.code() == Code::NotFound {
        Trouble::Gone(words)
    } else {
        Trouble::Failed(words)
    }
}

/// The beginning of somebody else's words.
pub(super) fn bounded(words: &str) -> String {
    if words.chars().count() <= LONGEST_WORDS {
        return words.to_owned();
    }
    words.chars().take(LONGEST_WORDS).chain(['…']).collect()
}

/// A reply of one repeated message, decoded entry by entry.
struct ListCodec<Q, T>(PhantomData<(Q, T)>);

impl<Q: Message + 'static, T: Entry + 'static> Codec for ListCodec<Q, T> {
    type Encode = Q;
    type Decode = Vec<T>;
    type Encoder = ProstEncoder<Q>;
    type Decoder = ListDecoder<T>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        ListDecoder(PhantomData)
    }
}

struct ListDecoder<T>(PhantomData<T>);

impl<T: Entry + 'static> Decoder for ListDecoder<T> {
    type Item = Vec<T>;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Vec<T>>, Status> {
        match entries(buf, MOST_ENTRIES) {
            Ok(Some(entries)) => Ok(Some(entries)),
            Ok(None) => Err(Status::out_of_range(format!(
                "a list of more than {MOST_ENTRIES} entries, or of more than {MOST_NESTED} in them"
            ))),
            Err(error) => Err(Status::internal(error.to_string())),
        }
    }
}

/// An entry of a list.
pub(super) trait Entry: Message + Default {
    /// The fields with lists of messages or texts in it, each in the one before. An empty one takes two bytes of a reply and tens of
    /// bytes of memory.
    const LISTS: &'static [u32];
}

/// The entries of field 1; none when there are more than `most`, or too many in their own lists. Other fields are passed over.
pub(super) fn entries<T: Entry>(buf: &mut impl Buf, most: usize) -> Result<Option<Vec<T>>, DecodeError> {
    let mut entries = Vec::new();
    let mut nested = 0;
    while buf.has_remaining() {
        let (tag, wire_type) = decode_key(buf)?;
        if (tag, wire_type) != (1, WireType::LengthDelimited) {
            skip_field(wire_type, tag, buf, DecodeContext::default())?;
            continue;
        }
        let mut entry = Bytes::new();
        encoding::bytes::merge(wire_type, &mut entry, buf, DecodeContext::default())?;
        nested += in_lists(entry.clone(), T::LISTS)?;
        if entries.len() == most || nested > MOST_NESTED {
            return Ok(None);
        }
        entries.push(T::decode(entry)?);
    }
    Ok(Some(entries))
}

/// How many there are in these lists, counted before they are decoded.
fn in_lists(mut message: Bytes, lists: &[u32]) -> Result<usize, DecodeError> {
    let Some((list, deeper)) = lists.split_first() else { return Ok(0) };
    let mut count = 0;
    while message.has_remaining() {
        let (tag, wire_type) = decode_key(&mut message)?;
        if (tag, wire_type) == (*list, WireType::LengthDelimited) {
            let mut inner = Bytes::new();
            encoding::bytes::merge(wire_type, &mut inner, &mut message, DecodeContext::default())?;
            count += 1 + in_lists(inner, deeper)?;
        } else {
            skip_field(wire_type, tag, &mut message, DecodeContext::default())?;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Named {
        #[prost(string, tag = "2")]
        name: String,
    }

    impl Entry for Named {
        const LISTS: &'static [u32] = &[];
    }

    #[derive(Clone, PartialEq, Message)]
    struct Outer {
        #[prost(message, repeated, tag = "3")]
        inner: Vec<Inner>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Inner {
        #[prost(string, repeated, tag = "2")]
        names: Vec<String>,
    }

    impl Entry for Outer {
        const LISTS: &'static [u32] = &[3, 2];
    }

    #[test]
    fn what_is_in_entries_is_counted_before_it_is_decoded() {
        let decode = |entries: &[Outer]| {
            let mut bytes = Vec::new();
            for entry in entries {
                bytes.push(0x0a);
                bytes.extend(entry.encode_length_delimited_to_vec());
            }
            super::entries::<Outer>(&mut bytes.as_slice(), 3)
        };
        let empty = Inner { names: Vec::new() };
        let fits = Outer { inner: vec![empty.clone(); MOST_NESTED / 2] };
        assert_eq!(decode(&[fits.clone(), fits.clone()]).unwrap(), Some(vec![fits.clone(), fits.clone()]));
        let one = Outer { inner: vec![empty] };
        assert_eq!(decode(&[fits.clone(), fits, one]).unwrap(), None, "of all entries");
        let names = Outer { inner: vec![Inner { names: vec![String::new(); MOST_NESTED] }] };
        assert_eq!(decode(&[names]).unwrap(), None);
    }

    #[test]
    fn entries_are_counted_while_they_are_decoded() {
        let named = |name: &str| Named { name: name.to_owned() };
        // Field 1 twice, field 3 (a number) between them.
        let mut bytes = vec![0x0a, 3, 0x12, 1, b'a', 0x18, 7, 0x0a, 0];
        let decode = |bytes: &[u8], most| entries::<Named>(&mut &bytes[..], most);
        assert_eq!(decode(&bytes, 2).unwrap(), Some(vec![named("a"), named("")]));
        assert_eq!(decode(&bytes, 1).unwrap(), None);
        bytes.pop();
        assert!(decode(&bytes, 2).is_err());
        assert!(decode(&[0x0a, 0xff], 2).is_err());
    }

    #[test]
    fn somebody_elses_words_are_bounded() {
        assert_eq!(bounded("short"), "short");
        assert_eq!(bounded(&"ü".repeat(1000)).chars().count(), LONGEST_WORDS + 1);
    }
}
