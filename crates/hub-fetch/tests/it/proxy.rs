//! Proxies, which are asked for tunnels.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::{io, thread};

use hub_fetch::{Error, Settings};

use crate::setup::{Case, repository};

/// A proxy that notes what it is asked; a tunnel leads to `target`, whatever host was named.
fn proxy(target: Option<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:pass%20word@{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (target, notes) = (target.clone(), Arc::clone(&notes));
            thread::spawn(move || tunnel(client, target, &notes));
        }
    });
    (url, asked)
}

fn tunnel(mut client: TcpStream, target: Option<String>, notes: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    notes.lock().unwrap().push(head);
    let Some(target) = target else {
        let _ = client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        return;
    };
    let mut server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
    let mut back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut back.0, &mut back.1);
        let _ = back.1.shutdown(Shutdown::Both);
    });
    let _ = io::copy(&mut reader, &mut server);
    let _ = server.shutdown(Shutdown::Both);
}

fn case(vars: &[(&str, String)]) -> Case {
    let var =
        |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    Case::with(Settings::from_vars(var).unwrap())
}

#[test]
fn a_proxy_finds_hosts_that_we_do_not() {
    let server = repository().start(|_, _| {});
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let (proxy, asked) = proxy(Some(server.address().to_string()));
        let vars = [("HF_ENDPOINT", "http://hub.invalid:8080".to_owned()), (name, proxy)];
        case(&vars).works();
        let asked = asked.lock().unwrap();
        assert!(asked[0].starts_with("CONNECT hub.invalid:8080 HTTP/1.1\r\n"), "{asked:?}");
        // RFC 7617: "user:pass word".
        assert!(asked[0].contains("Basic dXNlcjpwYXNzIHdvcmQ="), "{asked:?}");
    }
}

#[test]
fn a_proxy_of_another_scheme_or_for_others_is_not_asked() {
    let server = repository().start(|_, _| {});
    let (proxy, asked) = proxy(None);
    for vars in [
        vec![("HTTPS_PROXY", proxy.clone())],
        vec![("HTTP_PROXY", proxy.clone()), ("NO_PROXY", "localhost, 127.0.0.0/8".to_owned())],
        vec![("HTTP_PROXY", proxy), ("no_proxy", "*".to_owned())],
    ] {
        let mut vars = vars;
        vars.push(("HF_ENDPOINT", server.url()));
        case(&vars).works();
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn a_proxy_that_refuses() {
    let server = repository().start(|_, _| {});
    let (proxy, _) = proxy(None);
    let error = case(&[("HF_ENDPOINT", server.url()), ("HTTP_PROXY", proxy)]).fails();
    assert!(matches!(&error, Error::GaveUp { .. }), "{error}");
    assert!(error.to_string().contains("407"), "{error}");
    assert!(!format!("{error:?}").contains("word"), "{error:?}");
    assert!(server.requests().is_empty());
}
