//! Check of free memory before large allocations.

use std::fs;

/// Free memory is insufficient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} takes about {} MB of memory, and {} MB are free. {remedy}",
    .needed >> 20, .free >> 20
)]
pub struct NotEnoughMemory {
    what: String,
    needed: u64,
    free: u64,
    remedy: &'static str,
}

/// Checks that `needed` bytes are free, if the operating system reports it.
///
/// # Errors
/// [`NotEnoughMemory`] with both figures.
pub fn check(what: &str, needed: u64, remedy: &'static str) -> Result<(), NotEnoughMemory> {
    match free() {
        Some(free) if free < needed => {
            Err(NotEnoughMemory { what: what.to_string(), needed, free, remedy })
        }
        _ => Ok(()),
    }
}

/// Returns the free bytes of the machine and of the process's control group.
fn free() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let machine = available(&text)?;
    let number = |name: &str| -> Option<u64> {
        fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse().ok()
    };
    let group = number("memory.max").zip(number("memory.current"));
    Some(group.map_or(machine, |(most, used)| most.saturating_sub(used).min(machine)))
}

/// Returns `MemAvailable` of `/proc/meminfo` in bytes.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_has_is_refused_with_both_figures() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(available(""), None);
        assert!(check("nothing", 0, "").is_ok());
        if free().is_some() {
            let error = check("training", 1 << 60, "Make layers smaller").unwrap_err().to_string();
            assert!(error.starts_with("training takes about 1099511627776 MB"), "{error}");
            assert!(error.ends_with("MB are free. Make layers smaller"), "{error}");
        }
    }
}
