//! The embedded recordings of an accelerometer on people (`data/activity/README.md`).

use std::io::Read;

use flate2::read::GzDecoder;

use super::windows::{Recording, Sensor, Windows};
use super::{Dataset, Error};

const SAMPLES: &[u8] = include_bytes!("../activity/samples.gz");
const FILE: &str = "data/activity/samples.gz";
const REMEDY: &str = "The program was built from a damaged source tree: clone it again";

/// The classes, in the order of their indices.
pub const CLASSES: [&str; 3] = ["stationary", "walking", "running"];

/// Samples per recording.
const LENGTH: usize = 1000;

/// Acceleration per count.
const MG_PER_COUNT: f64 = 2.0;

/// Returns the windows of all recordings, and notes for the user.
pub(super) fn load(windows: &Windows) -> Result<(Dataset, Vec<String>), Error> {
    let axes = ["x", "y", "z"].map(String::from);
    let remedy = "Name another feature";
    let sensor = Sensor { axes: &axes, resolution: MG_PER_COUNT, unit: "mg", remedy };
    windows.cut("activity", &recordings()?, CLASSES.map(String::from).to_vec(), &sensor)
}

/// Returns the raw counts of an embedded recording of people, such as `walking_01`: samples of three
/// axes at 26 Hz, 2 mg a count. `None` for another name.
pub fn activity_recording(name: &str) -> Option<Vec<i16>> {
    let found = recordings().ok()?.into_iter().find(|recording| recording.name == name)?;
    Some(found.stretches.into_iter().flat_map(|(_, samples)| samples).collect())
}

/// Returns the 92 recordings.
fn recordings() -> Result<Vec<Recording>, Error> {
    let fail = |problem: String| Error::Format { file: FILE.to_string(), problem, remedy: REMEDY };
    let mut bytes = Vec::new();
    GzDecoder::new(SAMPLES).read_to_end(&mut bytes).map_err(|error| fail(error.to_string()))?;
    let cut_off = || fail("it is cut off".to_string());
    let end = bytes.iter().position(|&byte| byte == b'\n').ok_or_else(cut_off)?;
    let (names, rest) = bytes.split_at(end);
    let names = String::from_utf8_lossy(names);
    let mut rest = rest.iter().skip(1).copied();
    let mut recordings = Vec::new();
    for name in names.split(' ') {
        let class = CLASSES.iter().position(|class| name.starts_with(class));
        let class = class.ok_or_else(|| fail("a recording has no class".to_string()))?;
        let mut samples = vec![0_i16; LENGTH * 3];
        for axis in 0..3 {
            let mut count = 0_i16;
            for place in samples.iter_mut().skip(axis).step_by(3) {
                count = count.wrapping_add(difference(&mut rest).ok_or_else(cut_off)?);
                *place = count;
            }
        }
        recordings
            .push(Recording { name: name.to_string(), stretches: vec![(class as u16, samples)] });
    }
    match rest.next() {
        None => Ok(recordings),
        Some(_) => Err(fail("it has more samples than recordings".to_string())),
    }
}

/// Reads a zigzag coded integer in LEB128.
fn difference(bytes: &mut impl Iterator<Item = u8>) -> Option<i16> {
    let (mut value, mut shift) = (0_u32, 0);
    loop {
        let byte = bytes.next()?;
        value |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i16 ^ -((value & 1) as i16));
        }
        if shift > 14 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_those_of_the_source() {
        let recordings = recordings().unwrap();
        assert_eq!(recordings.len(), 92);
        let walk = recordings.iter().find(|recording| recording.name == "walking_01").unwrap();
        // 156, −589, −1294 and 161, −588, −1273 mg.
        assert_eq!(walk.stretches[0].1[..6], [78, -295, -647, 81, -294, -637]);
        let mut counts = [0; 3];
        for recording in &recordings {
            counts[usize::from(recording.stretches[0].0)] += 1;
            assert!(recording.stretches[0].1.iter().all(|count| (-2047..=2046).contains(count)));
        }
        assert_eq!(counts, [36, 39, 17]);
    }

    #[test]
    fn each_recording_has_37_windows() {
        let text = "length = 52\nstep = 26\neach = [\"mean\"]\nmagnitude = [\"mean\"]";
        let windows: Windows = toml::from_str(text).unwrap();
        let (data, notes) = load(&windows).unwrap();
        assert_eq!(notes, [] as [String; 0]);
        assert_eq!((data.rows(), data.width()), (92 * 37, 4));
        assert_eq!(data.recordings().unwrap().names.len(), 92);
    }

    #[test]
    fn integers_that_do_not_end_are_refused() {
        let read = |bytes: &[u8]| difference(&mut bytes.iter().copied());
        assert_eq!([read(&[3]), read(&[4]), read(&[0x80, 1])], [Some(-2), Some(2), Some(64)]);
        assert_eq!([read(&[]), read(&[0x80]), read(&[0x80; 9])], [None; 3]);
    }
}
