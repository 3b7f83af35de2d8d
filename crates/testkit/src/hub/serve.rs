//! What a well-behaved hub answers.

use std::io::BufReader;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{COMMIT, Connection, File, Hub, Reply, Request, Shared};

/// Answers the requests of one connection.
pub(crate) fn serve(shared: &Shared, connection: Box<dyn Connection>) {
    let mut connection = BufReader::new(connection);
    while let Ok(Some(mut request)) = Request::read(&mut connection) {
        if shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        {
            let mut requests = shared.requests.lock().expect("no panic in a script");
            let same = |earlier: &&Request| {
                (&earlier.method, &earlier.path) == (&request.method, &request.path)
            };
            request.nth = requests.iter().filter(same).count();
            requests.push(request.clone());
        }
        let mut reply = shared.hub.reply(&request);
        (shared.script)(&request, &mut reply);
        let head_only = request.method == "HEAD";
        if !matches!(reply.write(connection.get_mut(), head_only, &shared.stopped), Ok(true)) {
            return;
        }
    }
}

impl Hub {
    fn reply(&self, request: &Request) -> Reply {
        let path = request.path.split('?').next().unwrap_or_default();
        let api = format!("/api/models/{}/revision/", self.repo);
        let files = format!("/{}/resolve/", self.repo);
        if path.starts_with(&api) {
            let mut reply = Reply { status: 200, ..Reply::default() };
            reply.body = self.listing().to_string().into_bytes();
            reply.header("Content-Type", "application/json");
            return reply;
        }
        if let Some(digest) = path.strip_prefix("/blobs/") {
            let blob = self.files.values().find(|file| file.digest == digest);
            return blob.map_or_else(missing, |file| content(file, request));
        }
        let name = path.strip_prefix(&files).and_then(|rest| rest.split_once('/'));
        let Some(file) = name.and_then(|(_, name)| self.files.get(&decode(name))) else {
            return missing();
        };
        let mut reply = match &self.elsewhere {
            Some(elsewhere) if file.large => {
                let mut reply = Reply { status: 302, ..Reply::default() };
                let location = format!("{elsewhere}/blobs/{}?signature=secret", file.digest);
                reply.header("Location", &location);
                reply
            }
            _ => content(file, request),
        };
        reply.header("X-Repo-Commit", COMMIT);
        if file.large {
            reply.header("X-Linked-Size", &file.bytes.len().to_string());
            reply.header("X-Linked-ETag", &format!("\"{}\"", file.digest));
        }
        reply
    }

    /// What `/api/models/…?blobs=true` answers.
    fn listing(&self) -> Value {
        let sibling = |(name, file): (&String, &File)| {
            let size = file.bytes.len();
            // Of a large file, the blob is a small text that points at it.
            let pointer = "f".repeat(40);
            if file.large {
                let lfs = json!({"sha256": file.digest, "size": size, "pointerSize": 134});
                json!({"rfilename": name, "size": size, "blobId": pointer, "lfs": lfs})
            } else {
                json!({"rfilename": name, "size": size, "blobId": file.digest})
            }
        };
        let siblings: Vec<_> = self.files.iter().map(sibling).collect();
        json!({"id": self.repo, "sha": COMMIT, "gated": false, "siblings": siblings})
    }
}

fn content(file: &File, request: &Request) -> Reply {
    let etag = format!("\"{}\"", file.digest);
    let mut reply = Reply { status: 200, body: file.bytes.to_vec(), ..Reply::default() };
    reply.header("ETag", &etag);
    reply.header("Accept-Ranges", "bytes");
    let unchanged = request.header("if-range").is_none_or(|wanted| wanted == etag);
    if let Some((first, last)) = request.range().filter(|_| unchanged) {
        let size = file.bytes.len();
        if first >= size {
            reply.set(416, "");
            reply.header("Content-Range", &format!("bytes */{size}"));
            return reply;
        }
        let last = last.min(size - 1);
        reply.status = 206;
        reply.body = file.bytes[first..=last].to_vec();
        reply.header("Content-Range", &format!("bytes {first}-{last}/{size}"));
    }
    reply
}

fn missing() -> Reply {
    let mut reply = Reply::default();
    reply.set(404, "nothing here");
    reply.header("X-Error-Message", "Entry not found");
    reply
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
