//! How ranks find each other: a Unix socket in the abstract namespace, whose name and password are the root information.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::fields::Message as _;
use super::hub;
use super::problem::{Code, Problem};
use super::timeout;
use super::wire::{Hello, Reply};

/// Bytes of an `HcclRootInfo`.
pub(super) const ROOT_INFO: usize = 4108;
const MAGIC: &[u8; 16] = b"ascend-sim root\n";

/// Where a hub listens, and what it wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    pub(super) name: String,
    pub(super) token: [u8; 16],
}

impl Meeting {
    /// A meeting that nobody else has.
    pub(super) fn new() -> std::io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut token = [0; 16];
        std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut token)?;
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Ok(Self { name: format!("ascend-sim-{process}-{count}"), token })
    }

    /// The root information.
    pub(super) fn to_bytes(&self) -> [u8; ROOT_INFO] {
        let mut bytes = [0; ROOT_INFO];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..32].copy_from_slice(&self.token);
        bytes[32] = self.name.len() as u8;
        bytes[33..33 + self.name.len()].copy_from_slice(self.name.as_bytes());
        bytes
    }

    /// What root information says, if [`Meeting::to_bytes`] made it.
    pub(super) fn from_bytes(bytes: &[u8; ROOT_INFO]) -> Option<Self> {
        let token = bytes.strip_prefix(MAGIC)?.first_chunk()?;
        let name = bytes.get(33..33 + usize::from(bytes[32]))?;
        Some(Self { name: String::from_utf8(name.to_vec()).ok()?, token: *token })
    }

    fn address(&self) -> std::io::Result<SocketAddr> {
        SocketAddr::from_abstract_name(&self.name)
    }

    /// Lets ranks come, in a thread, until all are there or nobody came for [`timeout::connect`].
    pub(super) fn open(&self) -> std::io::Result<()> {
        let listener = UnixListener::bind_addr(&self.address()?)?;
        listener.set_nonblocking(true)?;
        let token = self.token;
        std::thread::Builder::new()
            .name("hccl root".into())
            .spawn(move || gather(&listener, token))
            .map(drop)
    }

    /// Goes to the meeting and waits until all ranks are there. `late`: whether the hub may open after this.
    pub(super) fn join(&self, hello: &Hello, late: bool) -> Result<UnixStream, Problem> {
        let limit = timeout::connect();
        let deadline = Instant::now() + limit;
        let address = self.address().map_err(|error| Problem::parameter(error.to_string()))?;
        let mut stream = loop {
            match UnixStream::connect_addr(&address) {
                Ok(stream) => break stream,
                Err(_) if late && Instant::now() < deadline => std::thread::sleep(PAUSE),
                Err(error) => {
                    let message = format!(
                        "no rank waits at {}, which the root information names: {error}",
                        self.name
                    );
                    let code = if late { Code::Timeout } else { Code::Remote };
                    return Err(Problem::new(code, message));
                }
            }
        };
        let lost = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                let (ranks, seconds) = (hello.ranks, limit.as_secs());
                let message =
                    format!("not all {ranks} ranks came within {seconds} s (HCCL_CONNECT_TIMEOUT)");
                Problem::new(Code::Timeout, message)
            }
            _ => Problem::new(
                Code::Remote,
                format!("the process that made the root information: {error}"),
            ),
        };
        stream.set_read_timeout(Some(limit)).map_err(lost)?;
        hello.send(&mut stream).map_err(lost)?;
        match Reply::receive(&mut stream).map_err(lost)? {
            Reply::Ready => {}
            Reply::Failed(problem) => return Err(problem),
            Reply::Done { .. } => {
                return Err(Problem::new(Code::Internal, "an answer before a question"));
            }
        }
        stream.set_read_timeout(None).map_err(lost)?;
        Ok(stream)
    }
}

const PAUSE: Duration = Duration::from_millis(2);

fn gather(listener: &UnixListener, token: [u8; 16]) {
    let limit = timeout::connect();
    let mut deadline = Instant::now() + limit;
    let mut ranks: Vec<(Hello, UnixStream)> = Vec::new();
    while Instant::now() < deadline {
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(PAUSE);
            continue;
        };
        // On Linux what is accepted blocks, whatever the listener does; a stranger may not keep the others waiting.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let Ok(hello) = Hello::receive(&mut stream) else { continue };
        let _ = stream.set_read_timeout(None);
        if hello.token != token {
            continue;
        }
        deadline = Instant::now() + limit;
        if let Err(problem) = fits(&hello, &ranks) {
            let _ = Reply::Failed(problem).send(&mut stream);
            continue;
        }
        let wanted = hello.ranks as usize;
        ranks.push((hello, stream));
        if ranks.len() == wanted {
            ranks.sort_by_key(|(hello, _)| hello.rank);
            // Where no thread can be started, the ranks hear that this end is closed.
            let _ = hub::serve(ranks.into_iter().map(|(_, stream)| stream).collect());
            return;
        }
    }
}

/// Whether a rank fits to those that came before.
fn fits(hello: &Hello, before: &[(Hello, UnixStream)]) -> Result<(), Problem> {
    for (other, _) in before {
        if other.ranks != hello.ranks {
            return Err(Problem::parameter(format!(
                "rank {} has nRanks {}, rank {} has {}",
                hello.rank, hello.ranks, other.rank, other.ranks
            )));
        }
        if other.rank == hello.rank {
            return Err(Problem::parameter(format!("rank {} is there already", hello.rank)));
        }
        if other.device == hello.device {
            return Err(Problem::parameter(format!(
                "ranks {} and {} both use device {}, expected one rank a device",
                other.rank, hello.rank, hello.device
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_information_comes_back() {
        let meeting = Meeting::new().unwrap();
        assert_ne!(meeting, Meeting::new().unwrap());
        assert_eq!(Meeting::from_bytes(&meeting.to_bytes()), Some(meeting));
        assert_eq!(Meeting::from_bytes(&[0; ROOT_INFO]), None);
        assert_eq!(Meeting::from_bytes(&[0xff; ROOT_INFO]), None);
    }

    fn hello(meeting: &Meeting, ranks: u32, rank: u32, device: u32) -> Hello {
        Hello { token: meeting.token, ranks, rank, device }
    }

    #[test]
    fn ranks_that_do_not_fit_are_turned_away() {
        let meeting = Meeting::new().unwrap();
        meeting.open().unwrap();
        std::thread::scope(|scope| {
            let first = scope.spawn(|| meeting.join(&hello(&meeting, 2, 0, 0), false));
            std::thread::sleep(Duration::from_millis(100));
            for (ranks, rank, device, text) in
                [(3, 1, 1, "nRanks"), (2, 0, 1, "already"), (2, 1, 0, "device 0")]
            {
                let problem =
                    meeting.join(&hello(&meeting, ranks, rank, device), false).unwrap_err();
                assert_eq!(problem.code, Code::Parameter);
                assert!(problem.message.contains(text), "{problem:?}");
            }
            let mut stranger = hello(&meeting, 2, 1, 1);
            stranger.token[0] ^= 1;
            assert_eq!(meeting.join(&stranger, false).unwrap_err().code, Code::Remote);
            meeting.join(&hello(&meeting, 2, 1, 1), false).unwrap();
            first.join().unwrap().unwrap();
        });
        let problem = meeting.join(&hello(&meeting, 2, 0, 0), false).unwrap_err();
        assert_eq!(problem.code, Code::Remote);
    }
}
