//! Whatever comes over the wire is a message or refused, and the next good frame is read.
#![no_main]

use firmware::link::{Message, Received, Receiver, Request, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| {
    let mut buffer = [0; 256];
    let mut receiver = Receiver::new(&mut buffer);
    for byte in stream {
        if let Received::Frame = receiver.push(*byte) {
            let _ = receiver.message::<Request<'_>>();
        }
    }
    // Whatever state that left: after a delimiter a good frame is understood.
    receiver.push(0);
    let _ = receiver.message::<Request<'_>>();
    let mut frame = [0; 64];
    let message = Message { sequence: 7, body: Request::Info };
    let frame = encode(&message, &mut frame).expect("it fits");
    let last = frame.iter().map(|byte| receiver.push(*byte)).last();
    assert!(matches!(last, Some(Received::Frame)));
    assert_eq!(receiver.message::<Request<'_>>().expect("a good frame").sequence, 7);
});
