//! A server that records what it is asked and answers what it is told, in the place of paid services.

use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What the server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A server that records.
pub(crate) struct Mock {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: tokio::task::JoinSet<()>,
}

/// An answer: a status and a body; status 0 never answers.
pub(crate) type Answer = (u16, String);

impl Mock {
    /// One that gives these answers, then 500.
    pub(crate) async fn start(answers: Vec<Answer>) -> Self {
        let mut answers: VecDeque<Answer> = answers.into();
        Self::answering(move |_| answers.pop_front().unwrap_or((500, String::new()))).await
    }

    /// One that answers by what it is asked.
    #[expect(clippy::disallowed_methods, reason = "the server is the other side of the test")]
    pub(crate) async fn answering(mut answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let record = Arc::clone(&asked);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let mut silent = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let one = read(&mut stream).await;
                let (status, body) = answer(&one);
                record.lock().unwrap().push(one);
                if status == 0 {
                    silent.push(stream);
                    continue;
                }
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(body.as_bytes()).await.unwrap();
            }
        });
        Self {
            port,
            asked,
            _tasks: tasks,
        }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> Asked {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let line = lines.next().unwrap().to_owned();
            let headers: Vec<(String, String)> = lines
                .map(|line| {
                    let (name, value) = line.split_once(": ").unwrap();
                    (name.to_lowercase(), value.to_owned())
                })
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length").unwrap();
            let length: usize = length.1.parse().unwrap();
            if bytes.len() >= end + 4 + length {
                let body = bytes[end + 4..end + 4 + length].to_vec();
                return Asked { line, headers, body };
            }
        }
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "the request broke off");
        bytes.extend_from_slice(&part[..count]);
    }
}
