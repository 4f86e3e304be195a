//! Whatever comes over the wire is a message or refused, and the next good frame is read. What
//! arrives as a request or a response is sent again as the same.
#![no_main]

use firmware::link::{Message, Received, Receiver, Request, Response, encode};
use libfuzzer_sys::fuzz_target;
use serde::ser::SerializeTuple;
use serde::{Serialize, Serializer};

/// A message that these bytes decode to is the same after it is sent again.
macro_rules! arrives_twice {
    ($message:expr, $body:ty) => {
        let (mut once, mut twice) = ([0; 256], [0; 256]);
        let (mut once, mut twice) = (Receiver::new(&mut once), Receiver::new(&mut twice));
        send($message, &mut once);
        if let Ok(message) = once.message::<$body>() {
            send(&message, &mut twice);
            assert_eq!(twice.message::<$body>(), Ok(message));
        }
    };
}

fuzz_target!(|stream: &[u8]| {
    let mut buffer = [0; 256];
    let mut receiver = Receiver::new(&mut buffer);
    for byte in stream {
        if let Received::Frame = receiver.push(*byte) {
            let _ = receiver.message::<Request<'_>>();
        }
    }
    // Whatever state that left: after a delimiter a good frame is understood.
    let _ = receiver.push(0);
    let _ = receiver.message::<Request<'_>>();
    let message = Message { sequence: 7, body: Request::Info };
    send(&message, &mut receiver);
    assert_eq!(receiver.message(), Ok(message));

    // No fuzzer guesses a checksum: the same bytes in a sound frame, as the one and the other.
    let Some((sequence, body)) = stream.get(..200.min(stream.len())).and_then(<[u8]>::split_first)
    else {
        return;
    };
    let message = Message { sequence: (*sequence).into(), body: Raw(body) };
    arrives_twice!(&message, Request<'_>);
    arrives_twice!(&message, Response<'_>);
});

/// Bytes as they are, without their number.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

fn send<T: Serialize>(message: &Message<T>, receiver: &mut Receiver<'_>) {
    let mut frame = [0; 256];
    let frame = encode(message, &mut frame).expect("it fits");
    let last = frame.iter().map(|byte| receiver.push(*byte)).last();
    assert_eq!(last, Some(Received::Frame));
}
