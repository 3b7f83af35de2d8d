//! Where the ranks of a communicator meet.

use std::collections::{HashMap, VecDeque};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::fields::Message as _;
use super::problem::{Code, Problem};
use super::round::{Offer, Round};
use super::wire::{Reply, Request};

/// Serves these ranks, in their order, until all have left.
pub(super) fn serve(ranks: Vec<UnixStream>) -> std::io::Result<()> {
    let (events, inbox) = channel();
    for (rank, stream) in ranks.iter().enumerate() {
        let (stream, events) = (stream.try_clone()?, events.clone());
        std::thread::Builder::new()
            .name(format!("hccl rank {rank}"))
            .spawn(move || listen(rank, stream, &events))?;
    }
    drop(events);
    let mut hub = Hub::new(ranks);
    hub.tell_all(&Reply::Ready);
    std::thread::Builder::new().name("hccl hub".into()).spawn(move || hub.run(&inbox))?;
    Ok(())
}

/// What a rank says, `None` when nothing more will come.
type Event = (usize, Option<Request>);

fn listen(rank: usize, mut stream: UnixStream, events: &Sender<Event>) {
    loop {
        let request = Request::receive(&mut stream).ok();
        let last = matches!(request, None | Some(Request::Leave));
        if events.send((rank, request)).is_err() || last {
            return;
        }
    }
}

struct Hub {
    /// The ranks that are there.
    ranks: Vec<Option<UnixStream>>,
    /// Collectives that not all ranks have come to, the oldest first.
    rounds: VecDeque<Round>,
    /// How many of them each rank has come to.
    ahead: Vec<usize>,
    /// By sender and receiver.
    pairs: HashMap<(usize, usize), Pair>,
    broken: bool,
}

/// Messages from a rank to another whose other side has not come; one of the two is empty.
#[derive(Default)]
struct Pair {
    /// Ticket, type, bytes.
    sends: VecDeque<(u64, i32, Vec<u8>)>,
    receives: VecDeque<(u64, i32, u64)>,
}

impl Hub {
    fn new(ranks: Vec<UnixStream>) -> Self {
        let ahead = vec![0; ranks.len()];
        let ranks = ranks.into_iter().map(Some).collect();
        Self { ranks, rounds: VecDeque::new(), ahead, pairs: HashMap::new(), broken: false }
    }

    fn run(&mut self, inbox: &Receiver<Event>) {
        while let Ok((rank, request)) = inbox.recv() {
            let handled = match request {
                None | Some(Request::Leave) if self.broken => {
                    self.ranks[rank] = None;
                    Ok(())
                }
                _ if self.broken => Ok(()),
                None => self.gone(rank, "ended without destroying its communicator"),
                Some(Request::Leave) => self.left(rank),
                Some(Request::Abort(problem)) => {
                    let Problem { code, message } = problem;
                    Err(Problem::new(code, format!("rank {rank}: {message}")))
                }
                Some(Request::Collective { ticket, call, sends, receives, payload }) => {
                    self.collective(rank, Offer { ticket, call, sends, receives, payload })
                }
                Some(Request::Send { ticket, peer, element, payload }) => {
                    self.send(rank, peer as usize, (ticket, element, payload))
                }
                Some(Request::Receive { ticket, peer, element, bytes }) => {
                    self.receive(rank, peer as usize, (ticket, element, bytes))
                }
            };
            if let Err(problem) = handled {
                self.broken = true;
                self.tell_all(&Reply::Failed(problem));
            }
        }
    }

    fn gone(&mut self, rank: usize, how: &str) -> Result<(), Problem> {
        match self.ranks[rank].take() {
            Some(_) => Err(Problem::new(Code::Remote, format!("rank {rank} {how}"))),
            None => Ok(()),
        }
    }

    fn left(&mut self, rank: usize) -> Result<(), Problem> {
        self.ranks[rank] = None;
        let waited = self.rounds.len() > self.ahead[rank]
            || self.pairs.iter().any(|((from, to), pair)| {
                *from == rank && !pair.receives.is_empty() || *to == rank && !pair.sends.is_empty()
            });
        if waited { Err(destroyed(rank)) } else { Ok(()) }
    }

    fn collective(&mut self, rank: usize, offer: Offer) -> Result<(), Problem> {
        let place = self.ahead[rank];
        self.ahead[rank] += 1;
        if self.rounds.len() == place {
            self.rounds.push_back(Round::new(self.ranks.len()));
        }
        self.rounds[place].join(rank, offer)?;
        while self.rounds.front().is_some_and(Round::is_whole) {
            let Some(round) = self.rounds.pop_front() else { break };
            self.ahead.iter_mut().for_each(|ahead| *ahead -= 1);
            for (rank, (ticket, payload)) in round.answers()?.into_iter().enumerate() {
                self.tell(rank, &Reply::Done { ticket, payload });
            }
        }
        let absent =
            |rank: &usize| self.ranks[*rank].is_none() && self.ahead[*rank] < self.rounds.len();
        (0..self.ranks.len()).find(absent).map_or(Ok(()), |rank| Err(destroyed(rank)))
    }

    fn send(&mut self, from: usize, to: usize, sent: (u64, i32, Vec<u8>)) -> Result<(), Problem> {
        self.pairs.entry((from, to)).or_default().sends.push_back(sent);
        self.match_pair(from, to, to)
    }

    fn receive(&mut self, to: usize, from: usize, wanted: (u64, i32, u64)) -> Result<(), Problem> {
        self.pairs.entry((from, to)).or_default().receives.push_back(wanted);
        self.match_pair(from, to, from)
    }

    /// Delivers what has both sides; otherwise `other` has to come yet.
    fn match_pair(&mut self, from: usize, to: usize, other: usize) -> Result<(), Problem> {
        let Some(pair) = self.pairs.get_mut(&(from, to)) else { return Ok(()) };
        if pair.sends.is_empty() || pair.receives.is_empty() {
            let there = self.ranks.get(other).is_some_and(Option::is_some);
            return if there { Ok(()) } else { Err(destroyed(other)) };
        }
        let (sent, wanted) = (pair.sends.pop_front(), pair.receives.pop_front());
        let (Some((sent, type_sent, payload)), Some((wanted, type_wanted, bytes))) = (sent, wanted)
        else {
            return Ok(());
        };
        if type_sent != type_wanted || payload.len() as u64 != bytes {
            return Err(Problem::parameter(format!(
                "rank {from} sends {} bytes of dataType {type_sent} to rank {to}, which receives {bytes} of {type_wanted}",
                payload.len()
            )));
        }
        self.tell(to, &Reply::Done { ticket: wanted, payload });
        self.tell(from, &Reply::Done { ticket: sent, payload: Vec::new() });
        Ok(())
    }

    /// A rank that cannot be told is gone, which its listener notices.
    fn tell(&mut self, rank: usize, reply: &Reply) {
        if let Some(Some(stream)) = self.ranks.get_mut(rank) {
            let _ = reply.send(stream);
        }
    }

    fn tell_all(&mut self, reply: &Reply) {
        (0..self.ranks.len()).for_each(|rank| self.tell(rank, reply));
    }
}

fn destroyed(rank: usize) -> Problem {
    Problem::new(Code::Remote, format!("rank {rank} has destroyed its communicator"))
}
