//! A collective operation, from the first rank that comes to it to the last.

use super::dtype::{Element, Reduction};
use super::problem::{Code, Problem};
use super::reduce::reduce;
use super::wire::{Call, Kind};

/// What a rank brings.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) ticket: u64,
    pub(super) call: Call,
    /// Elements to each rank, and from each.
    pub(super) sends: Vec<u64>,
    pub(super) receives: Vec<u64>,
    pub(super) payload: Vec<u8>,
}

/// What the ranks have brought so far.
#[derive(Debug)]
pub(super) struct Round {
    offers: Vec<Option<Offer>>,
}

impl Round {
    pub(super) fn new(ranks: usize) -> Self {
        Self { offers: std::iter::repeat_with(|| None).take(ranks).collect() }
    }

    /// Takes what a rank brings, if it is for the same operation as that of those before.
    pub(super) fn join(&mut self, rank: usize, offer: Offer) -> Result<(), Problem> {
        let first =
            self.offers.iter().enumerate().find_map(|(rank, offer)| Some((rank, offer.as_ref()?)));
        if let Some((other, first)) = first
            && first.call != offer.call
        {
            return Err(Problem::parameter(format!(
                "rank {rank} is at {}, while rank {other} is at {}",
                describe(&offer.call),
                describe(&first.call)
            )));
        }
        self.offers[rank] = Some(offer);
        Ok(())
    }

    pub(super) fn is_whole(&self) -> bool {
        self.offers.iter().all(Option::is_some)
    }

    /// The ticket of each rank, and what it gets; all ranks must have come.
    pub(super) fn answers(self) -> Result<Vec<(u64, Vec<u8>)>, Problem> {
        let offers: Vec<Offer> = self.offers.into_iter().flatten().collect();
        let results = results(&offers)?;
        Ok(offers.iter().map(|offer| offer.ticket).zip(results).collect())
    }
}

fn results(offers: &[Offer]) -> Result<Vec<Vec<u8>>, Problem> {
    let Some(Offer { call, .. }) = offers.first() else { return Ok(Vec::new()) };
    let ranks = offers.len();
    let nothing = || vec![Vec::new(); ranks];
    let root = call.root as usize;
    let parts: Vec<&[u8]> = offers.iter().map(|offer| offer.payload.as_slice()).collect();
    Ok(match call.kind {
        Kind::Barrier => nothing(),
        Kind::AllReduce => vec![reduced(call, &parts)?; ranks],
        Kind::Reduce => {
            let mut results = nothing();
            results[root] = reduced(call, &parts)?;
            results
        }
        Kind::Broadcast => {
            let mut results = vec![parts[root].to_vec(); ranks];
            results[root].clear();
            results
        }
        Kind::AllGather => vec![parts.concat(); ranks],
        Kind::ReduceScatter => {
            let sum = reduced(call, &parts)?;
            slices(&sum, &sizes(call, ranks)?).map(<[u8]>::to_vec).collect()
        }
        Kind::Scatter => slices(parts[root], &sizes(call, ranks)?).map(<[u8]>::to_vec).collect(),
        Kind::AllToAll => exchanged(call, offers)?,
    })
}

fn reduced(call: &Call, parts: &[&[u8]]) -> Result<Vec<u8>, Problem> {
    let element = Element::of(call.element)?;
    Ok(reduce(element, Reduction::of(call.reduction, element)?, parts))
}

/// Bytes of each rank's part.
fn sizes(call: &Call, ranks: usize) -> Result<Vec<usize>, Problem> {
    let element = Element::of(call.element)?;
    let counts = match call.counts.as_slice() {
        [count] => vec![*count; ranks],
        counts => counts.to_vec(),
    };
    counts.into_iter().map(|count| Ok(element.bytes(count)? as usize)).collect()
}

/// Cuts `whole` into parts of these sizes.
fn slices<'a>(whole: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = whole;
    sizes.iter().map(move |size| {
        let (part, after) = rest.split_at_checked(*size).unwrap_or((rest, &[]));
        rest = after;
        part
    })
}

fn exchanged(call: &Call, offers: &[Offer]) -> Result<Vec<Vec<u8>>, Problem> {
    let element = Element::of(call.element)?;
    for (from, sender) in offers.iter().enumerate() {
        for (to, receiver) in offers.iter().enumerate() {
            let (sends, receives) = (sender.sends.get(to), receiver.receives.get(from));
            if sends != receives {
                return Err(Problem::parameter(format!(
                    "rank {from} sends {} elements to rank {to}, which receives {}",
                    sends.unwrap_or(&0),
                    receives.unwrap_or(&0)
                )));
            }
        }
    }
    let size = |count: &u64| element.bytes(*count).map(|bytes| bytes as usize);
    let mut results = vec![Vec::new(); offers.len()];
    for offer in offers {
        let sizes = offer.sends.iter().map(size).collect::<Result<Vec<_>, _>>()?;
        if sizes.iter().sum::<usize>() != offer.payload.len() {
            return Err(Problem::new(Code::Internal, "a payload is not as long as its counts say"));
        }
        for (result, part) in results.iter_mut().zip(slices(&offer.payload, &sizes)) {
            result.extend_from_slice(part);
        }
    }
    Ok(results)
}

/// A call in words, for a rank that is at another.
fn describe(call: &Call) -> String {
    let Call { kind, element, reduction, root, counts } = call;
    match kind {
        Kind::Barrier => "a barrier".to_owned(),
        Kind::AllReduce | Kind::ReduceScatter => {
            format!("{kind:?} of {counts:?} elements of dataType {element} with op {reduction}")
        }
        Kind::Reduce => {
            format!(
                "{kind:?} of {counts:?} elements of dataType {element} with op {reduction} to rank {root}"
            )
        }
        Kind::Broadcast | Kind::Scatter => {
            format!("{kind:?} of {counts:?} elements of dataType {element} from rank {root}")
        }
        Kind::AllGather | Kind::AllToAll => {
            format!("{kind:?} of {counts:?} elements of dataType {element}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(kind: Kind, root: u32, counts: &[u64]) -> Call {
        Call { kind, element: Element::U8 as i32, reduction: 0, root, counts: counts.to_vec() }
    }

    fn run(call: &Call, payloads: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut round = Round::new(payloads.len());
        for (rank, payload) in payloads.iter().enumerate().rev() {
            let (sends, receives) = (vec![1; payloads.len()], vec![1; payloads.len()]);
            let ticket = 10 + rank as u64;
            let offer =
                Offer { ticket, call: call.clone(), sends, receives, payload: payload.to_vec() };
            assert!(!round.is_whole());
            round.join(rank, offer).unwrap();
        }
        assert!(round.is_whole());
        let answers = round.answers().unwrap();
        assert!(answers.iter().zip(10..).all(|((ticket, _), expected)| *ticket == expected));
        answers.into_iter().map(|(_, payload)| payload).collect()
    }

    #[test]
    fn each_collective_gives_each_rank_its_part() {
        let two: &[&[u8]] = &[&[1, 2], &[10, 20]];
        assert_eq!(run(&call(Kind::AllReduce, 0, &[2]), two), [[11, 22], [11, 22]]);
        assert_eq!(run(&call(Kind::Reduce, 1, &[2]), two), [vec![], vec![11, 22]]);
        assert_eq!(run(&call(Kind::AllGather, 0, &[2]), two), [[1, 2, 10, 20]; 2]);
        assert_eq!(run(&call(Kind::ReduceScatter, 0, &[1]), two), [[11], [22]]);
        assert_eq!(run(&call(Kind::ReduceScatter, 0, &[2, 0]), two), [vec![11, 22], vec![]]);
        assert_eq!(run(&call(Kind::AllToAll, 0, &[]), two), [[1, 10], [2, 20]]);
        assert_eq!(run(&call(Kind::Broadcast, 1, &[2]), &[&[], &[7, 8]]), [vec![7, 8], vec![]]);
        assert_eq!(run(&call(Kind::Scatter, 1, &[1]), &[&[], &[7, 8]]), [[7], [8]]);
        assert_eq!(run(&call(Kind::Barrier, 0, &[]), &[&[], &[]]), [vec![], Vec::<u8>::new()]);
    }

    #[test]
    fn ranks_at_different_calls_are_told_of_both() {
        let offer =
            |call| Offer { ticket: 0, call, sends: vec![], receives: vec![], payload: vec![] };
        let mut round = Round::new(3);
        round.join(2, offer(call(Kind::AllReduce, 0, &[4]))).unwrap();
        let problem = round.join(0, offer(call(Kind::AllReduce, 0, &[5]))).unwrap_err();
        assert_eq!(problem.code, Code::Parameter);
        for part in ["rank 0", "[5]", "rank 2", "[4]"] {
            assert!(problem.message.contains(part), "{problem:?}");
        }
    }
}
