//! A gRPC server on a Unix socket, to ask things of: HTTP/2 by a library that the tool's client shares nothing of but the
//! protocol's frames, gRPC's framing by hand (grpc/grpc doc/PROTOCOL-HTTP2.md). What is answered is for the tests.

use std::{
    fs,
    future::pending,
    path::Path,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, Response};
use prost::bytes::{BufMut as _, Bytes, BytesMut};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::oneshot,
    task::LocalSet,
};

/// What a call gets.
pub enum Answer {
    /// A message.
    Message(Vec<u8>),
    /// A status that is not OK, with words.
    Status(u32, &'static str),
    /// Nothing, ever.
    Silence,
}

type Answers = dyn Fn(&str, Bytes) -> Answer + Send + Sync;

/// A server that lives as long as this.
pub struct Server {
    calls: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `path`, whose directory is made where it is not there. `answer` gets the method, `/package.Service/Method`,
    /// and the request's message.
    pub fn start(path: &Path, answer: impl Fn(&str, Bytes) -> Answer + Send + Sync + 'static) -> Self {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // As servers do on their start.
        let _ = fs::remove_file(path);
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let (answer, noted): (Arc<Answers>, _) = (Arc::new(answer), Arc::clone(&calls));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let serve = async {
                let listener = UnixListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(&listener, &answer, &noted) => {}
                    _ = stopped => {}
                }
            };
            LocalSet::new().block_on(&runtime, serve);
        });
        Self { calls, stop: Some(stop), thread: Some(thread) }
    }

    /// The methods that were called since this was asked last, without the service.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.stop.take().unwrap().send(());
        let _ = self.thread.take().unwrap().join();
    }
}

async fn accept(listener: &UnixListener, answer: &Arc<Answers>, calls: &Arc<Mutex<Vec<String>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::task::spawn_local(connection(stream, Arc::clone(answer), Arc::clone(calls)));
    }
}

async fn connection(stream: UnixStream, answer: Arc<Answers>, calls: Arc<Mutex<Vec<String>>>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let method = request.uri().path().to_owned();
        calls.lock().unwrap().push(method.rsplit('/').next().unwrap().to_owned());
        let answer = Arc::clone(&answer);
        tokio::task::spawn_local(async move {
            let message = message(request.into_body()).await;
            reply(respond, answer(&method, message)).await;
        });
    }
}

/// A request's message, without the byte that says it is not compressed and the four of its length.
async fn message(mut body: RecvStream) -> Bytes {
    let mut bytes = BytesMut::new();
    while let Some(Ok(part)) = body.data().await {
        body.flow_control().release_capacity(part.len()).unwrap();
        bytes.extend_from_slice(&part);
    }
    assert_eq!(bytes[0], 0, "compressed");
    bytes.freeze().slice(5..)
}

async fn reply(mut respond: SendResponse<Bytes>, answer: Answer) {
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut trailers = HeaderMap::new();
    let (status, message) = match answer {
        Answer::Message(message) => (0, Some(message)),
        Answer::Status(status, words) => {
            trailers.insert("grpc-message", words.parse().unwrap());
            (status, None)
        }
        Answer::Silence => return pending().await,
    };
    trailers.insert("grpc-status", status.into());
    // Who asked may be gone.
    let Ok(mut stream) = respond.send_response(head, false) else { return };
    if let Some(message) = message {
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len()).unwrap());
        framed.extend_from_slice(&message);
        if stream.send_data(framed.freeze(), false).is_err() {
            return;
        }
    }
    let _ = stream.send_trailers(trailers);
}
