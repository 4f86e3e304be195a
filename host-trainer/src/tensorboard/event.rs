//! Events as protocol buffers.
//!
//! Sources: TensorFlow's `event.proto`, `summary.proto` and `histogram.proto`; *Protocol Buffers,
//! Encoding*.

/// A value with its tag.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Scalar(f32),
    /// A histogram.
    Histogram(Histogram),
    /// A grayscale PNG.
    Image {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The file.
        png: Vec<u8>,
    },
}

/// An event: values of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Seconds since 1970.
    pub time: f64,
    /// Step: here the epoch.
    pub step: u64,
    /// Tags with their values.
    pub values: Vec<(String, Value)>,
}

/// Counts of numbers in buckets of equal width.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    min: f64,
    max: f64,
    count: f64,
    sum: f64,
    squares: f64,
    /// Upper end and count of each bucket.
    buckets: Vec<(f64, f64)>,
}

const BUCKETS: usize = 30;

impl Histogram {
    /// Counts numbers; those that are not finite are left out. `None` without any.
    pub fn new(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let values = values.filter(|value| value.is_finite());
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for value in values.clone() {
            (min, max) = (min.min(value), max.max(value));
            count += 1.0;
            sum += value;
            squares += value * value;
        }
        if count == 0.0 {
            return None;
        }
        let width = (max - min) / BUCKETS as f64;
        let mut buckets: Vec<(f64, f64)> =
            (1..=BUCKETS).map(|index| (min + width * index as f64, 0.0)).collect();
        for value in values {
            let place = if width > 0.0 { ((value - min) / width) as usize } else { 0 };
            if let Some((_, bucket)) = buckets.get_mut(place.min(BUCKETS - 1)) {
                *bucket += 1.0;
            }
        }
        Some(Histogram { min, max, count, sum, squares, buckets })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut message = Message::default();
        let Histogram { min, max, count, sum, squares, buckets } = self;
        for (field, value) in (1..).zip([min, max, count, sum, squares]) {
            message.double(field, *value);
        }
        let packed = |of: fn(&(f64, f64)) -> f64| {
            buckets.iter().flat_map(|bucket| of(bucket).to_le_bytes()).collect::<Vec<u8>>()
        };
        message.bytes(6, &packed(|bucket| bucket.0));
        message.bytes(7, &packed(|bucket| bucket.1));
        message.0
    }
}

/// Returns the first event of a file, which names its version.
pub(super) fn version(time: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, time);
    event.bytes(3, b"brain.Event:2");
    event.0
}

impl Event {
    /// Encodes the event.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut summary = Message::default();
        for (tag, value) in &self.values {
            let mut message = Message::default();
            message.bytes(1, tag.as_bytes());
            match value {
                Value::Scalar(value) => message.float(2, *value),
                Value::Image { width, height, png } => {
                    let mut image = Message::default();
                    image.number(1, u64::from(*height));
                    image.number(2, u64::from(*width));
                    // Grayscale.
                    image.number(3, 1);
                    image.bytes(4, png);
                    message.bytes(4, &image.0);
                }
                Value::Histogram(histogram) => message.bytes(5, &histogram.to_bytes()),
            }
            summary.bytes(1, &message.0);
        }
        let mut event = Message::default();
        event.double(1, self.time);
        event.number(2, self.step);
        event.bytes(5, &summary.0);
        event.0
    }
}

/// Bytes of a message. Wire types: 0 varint, 1 eight bytes, 2 a length and bytes, 5 four bytes.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_protocol_buffer() {
        let values = vec![("a".to_string(), Value::Scalar(1.0))];
        let bytes = Event { time: 0.0, step: 300, values }.to_bytes();
        let value = [0x0a, 1, b'a', 0x15, 0, 0, 0x80, 0x3f];
        let summary = [&[0x0a, value.len() as u8][..], &value].concat();
        let start = [&[0x09][..], &[0; 8], &[0x10, 0xac, 0x02, 0x2a, summary.len() as u8]].concat();
        assert_eq!(bytes, [start, summary].concat());
    }

    #[test]
    fn every_number_is_in_a_bucket() {
        let histogram = Histogram::new([0.0, 1.0, 2.0, 30.0, f64::NAN].into_iter()).unwrap();
        assert_eq!((histogram.min, histogram.max, histogram.count), (0.0, 30.0, 4.0));
        assert_eq!((histogram.sum, histogram.squares), (33.0, 905.0));
        let counts: Vec<f64> = histogram.buckets.iter().map(|bucket| bucket.1).collect();
        assert_eq!((counts[0], counts[1], counts[2], counts[29]), (1.0, 1.0, 1.0, 1.0));
        let same = Histogram::new([5.0; 3].into_iter()).unwrap();
        assert_eq!(same.buckets.iter().map(|bucket| bucket.1).sum::<f64>(), 3.0);
        assert_eq!(Histogram::new(std::iter::empty()), None);
    }
}
