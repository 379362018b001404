//! The loopback HTTP server under both stand-ins: one thread, plain HTTP/1.1, a log of every exchange, and a place
//! where a test makes the network slow or broken.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A request, body and all.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    /// As sent: percent-encoded, without the query.
    pub path: String,
    /// As sent, without the question mark; empty when there is none.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Request {
    /// A header's text, `None` when absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The query's pairs, decoded.
    #[must_use]
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }
}

/// What is sent back.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type".into(), content_type.into())], body: body.into() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// Answers requests from a state of its own.
pub trait Handler: Send + Sync + 'static {
    fn answer(&self, request: &Request) -> Answer;
}

/// A request and its answer, in the order in which requests arrived.
#[derive(Clone)]
pub struct Exchange {
    pub request: Request,
    pub answer: Answer,
}

/// What the network does to one exchange.
#[derive(Clone, Default)]
pub enum Weather {
    #[default]
    Fair,
    /// The answer takes this long.
    Slow(Duration),
    /// The handler never sees the request; this is answered instead.
    Instead(Answer),
    /// The handler does its work, then this is answered instead.
    AnswerLost(Answer),
    /// The connection is closed before the handler sees the request.
    ResetBefore,
    /// The handler does its work, then the connection is closed without an answer.
    ResetAfter,
    /// The handler never sees the request and nothing is ever answered.
    Hang,
    /// The handler does its work, and nothing is ever answered.
    HangAfter,
}

type Forecast = Box<dyn Fn(usize, &Request) -> Weather + Send + Sync>;

struct Shared {
    handler: Box<dyn Handler>,
    log: Mutex<Vec<Exchange>>,
    arrived: Mutex<usize>,
    forecast: Mutex<Option<Forecast>>,
}

/// A server on a free loopback port. It stops when dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts serving on `127.0.0.1`, in a thread of its own.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub fn start(handler: impl Handler) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            log: Mutex::default(),
            arrived: Mutex::default(),
            forecast: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("sandbox".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, serving) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every exchange so far.
    #[must_use]
    pub fn log(&self) -> Vec<Exchange> {
        lock(&self.shared.log).clone()
    }

    /// From now on, asks `forecast` before each exchange; requests are counted from 0.
    pub fn set_forecast(&self, forecast: impl Fn(usize, &Request) -> Weather + Send + Sync + 'static) {
        *lock(&self.shared.arrived) = 0;
        *lock(&self.shared.forecast) = Some(Box::new(forecast));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread's own panic has been printed; there is nobody to hand it to.
            let _ = thread.join();
        }
    }
}

/// A state stays usable after a panic elsewhere: each request leaves it consistent or untouched.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| respond(request, &shared));
            // An error here is a connection that one side closed: part of the weather.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Ends the connection without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

async fn silence() -> Result<Answer, Closed> {
    std::future::pending::<Result<Answer, Infallible>>().await.map_err(|_| Closed)
}

async fn respond(request: hyper::Request<Incoming>, shared: &Shared) -> Result<hyper::Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes().to_vec();
    let request = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    let number = {
        let mut arrived = lock(&shared.arrived);
        *arrived += 1;
        *arrived - 1
    };
    let weather = lock(&shared.forecast).as_ref().map_or(Weather::Fair, |forecast| forecast(number, &request));
    let handle = || {
        let answer = shared.handler.answer(&request);
        lock(&shared.log).push(Exchange { request: request.clone(), answer: answer.clone() });
        answer
    };
    let answer = match weather {
        Weather::Fair => handle(),
        Weather::Slow(delay) => {
            let answer = handle();
            tokio::time::sleep(delay).await;
            answer
        }
        Weather::Instead(answer) => answer,
        Weather::AnswerLost(answer) => {
            handle();
            answer
        }
        Weather::ResetBefore => return Err(Closed),
        Weather::ResetAfter => {
            handle();
            return Err(Closed);
        }
        Weather::Hang => silence().await?,
        Weather::HangAfter => {
            handle();
            silence().await?
        }
    };
    let mut response = hyper::Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(answer.body))).map_err(|_| Closed)
}
