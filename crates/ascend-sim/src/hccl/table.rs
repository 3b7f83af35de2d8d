//! Rank tables: the file of `HcclCommInitClusterInfo`.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use super::json::Json;
use super::problem::{Code, Problem};
use super::rendezvous::Meeting;

/// The ranks of a table, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The device of each rank.
    pub(super) devices: Vec<u32>,
    /// Where they meet: the same for all that read the same file.
    pub(super) meeting: Meeting,
}

impl Table {
    /// Reads a file of the versions 1.0 and 1.2: `server_list` with a `device` list each.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let shown = path.display();
        let file =
            |error: std::io::Error| Problem::new(Code::OpenFile, format!("{shown}: {error}"));
        let text = std::fs::read_to_string(path).map_err(file)?;
        let path = std::fs::canonicalize(path).map_err(file)?;
        let devices =
            devices(&text).map_err(|why| Problem::parameter(format!("{shown}: {why}")))?;
        Ok(Self { devices, meeting: meeting(&path, &text) })
    }
}

fn devices(text: &str) -> Result<Vec<u32>, String> {
    let json = Json::parse(text)?;
    if json.get("status").is_some_and(|status| status.text() != Some("completed")) {
        return Err("status is not \"completed\"".into());
    }
    let servers = json.get("server_list").map(Json::list).unwrap_or_default();
    if servers.len() != 1 {
        return Err(format!("server_list has {} servers, expected 1: this one", servers.len()));
    }
    let listed = servers[0].get("device").map(Json::list).unwrap_or_default();
    let number = |device: &Json, name: &str| {
        let number = device.get(name).and_then(Json::number);
        number.ok_or_else(|| format!("a device has no {name} that is a number"))
    };
    let mut ranks = Vec::new();
    for device in listed {
        ranks.push((number(device, "rank_id")?, number(device, "device_id")?));
    }
    ranks.sort_unstable();
    if ranks.is_empty() || ranks.iter().zip(0..).any(|((rank, _), expected)| *rank != expected) {
        let found: Vec<_> = ranks.iter().map(|(rank, _)| rank).collect();
        return Err(format!("rank_id are {found:?}, expected 0 and all that follow, each once"));
    }
    Ok(ranks.into_iter().map(|(_, device)| device).collect())
}

/// Nothing is secret in it: who reads the file may join.
fn meeting(path: &Path, text: &str) -> Meeting {
    let mut hasher = DefaultHasher::new();
    (path, text).hash(&mut hasher);
    let hash = hasher.finish();
    let mut token = [0; 16];
    token[..8].copy_from_slice(&hash.to_le_bytes());
    Meeting { name: format!("ascend-sim-table-{hash:016x}"), token }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(devices: &str) -> String {
        format!(
            r#"{{"version": "1.0", "server_count": "1", "status": "completed", "server_list": [{{"server_id": "10.0.0.1", "device": [{devices}]}}]}}"#
        )
    }

    #[test]
    fn devices_come_in_the_order_of_ranks() {
        let text = table(
            r#"{"device_id": "4", "rank_id": "1"}, {"device_id": "7", "device_ip": "10.0.0.2", "rank_id": "0"}"#,
        );
        assert_eq!(devices(&text).unwrap(), [7, 4]);
    }

    #[test]
    fn a_table_that_is_not_one_says_why() {
        for (text, why) in [
            (table(""), "rank_id are []"),
            (table(r#"{"device_id": "4", "rank_id": "1"}"#), "rank_id are [1]"),
            (table(r#"{"device_id": "4"}"#), "no rank_id"),
            (table(r#"{"rank_id": "0", "device_id": "x"}"#), "no device_id"),
            (table("").replace("completed", "initializing"), "status"),
            (r#"{"server_list": [{}, {}]}"#.into(), "2 servers"),
            ("{}".into(), "0 servers"),
            ("rank 0".into(), "byte 0"),
        ] {
            let error = devices(&text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let problem = Table::read(Path::new("/no/such/table.json")).unwrap_err();
        assert_eq!(problem.code, Code::OpenFile);
    }
}
