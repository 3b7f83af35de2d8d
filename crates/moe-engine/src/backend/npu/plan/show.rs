//! A plan for people.

use std::fmt;

use super::{Plan, Sizes};

impl fmt::Display for Plan {
    /// Two tables: steps with operators, and sizes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<30}  operators", "step")?;
        for step in &self.steps {
            write!(f, "{:<30}  {}", step.name, step.operators.join(" "))?;
            if step.is_fallback {
                write!(f, "  (for lack of {})", step.missing.join(" "))?;
            }
            writeln!(f)?;
        }
        let Sizes { vocabulary, dense, experts, cache, activations, workspaces } = self.sizes;
        writeln!(f)?;
        writeln!(f, "{:<30}  {}", "device", self.soc)?;
        writeln!(f, "{:<30}  {} ({})", "experts in", self.experts, self.why)?;
        if self.devices > 1 {
            writeln!(f, "{:<30}  {} devices", "experts shared by", self.devices)?;
        }
        let room = format!("{} positions, {} sequences", self.kv_positions, self.sequences);
        writeln!(f, "{:<30}  {room}", "cache")?;
        writeln!(f, "{:<30}  {}", "operators of a batch", self.launches)?;
        let parts = [
            ("embedding and head", vocabulary),
            ("attention, routers, norms", dense),
            ("experts", experts),
            ("keys and values", cache),
            ("activations, constants", activations),
            ("workspaces (estimated)", workspaces),
            ("all", self.sizes.total()),
            ("free", self.free),
        ];
        for (name, bytes) in parts {
            writeln!(f, "{name:<30}  {:>12.3} GB", bytes as f64 / 1e9)?;
        }
        Ok(())
    }
}
