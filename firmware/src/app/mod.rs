//! The device application: answers requests over a stream of bytes.

mod accept;
mod answer;
mod board;
#[cfg(feature = "signed-commands")]
mod challenge;
mod sensor;

use embedded_hal::digital::StatefulOutputPin;
use embedded_io::{Read, Write};
use thimble_nn::{Engine, Model};

pub use self::accept::{Buffers, accept, self_test};
pub use self::answer::start;
pub use self::board::{Board, NoLed};
pub use self::sensor::{NoSensor, Sensor, SensorError};
// What a `Board` is implemented with.
pub use crate::link::NONCE_LEN;
pub use crate::signature::SignaturePolicy;

use self::answer::Device;
use crate::link::{
    self, FrameError, Message, ModelRejected, Received, Receiver, Request, RequestError, Response,
};

/// A model to start with, and where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Start<'m> {
    /// The model's file, without a signature.
    pub file: &'m [u8],
    /// The slot that it lies in; none for the one that is built in.
    pub slot: Option<u8>,
    /// Whether `file` is a copy in RAM.
    pub in_ram: bool,
}

/// The device application.
pub struct App<'m, 's, 'b, B> {
    device: Device<'m, 's, B>,
    receiver: Receiver<'b>,
    send: &'b mut [u8],
}

impl<'m, 's, 'b, B: Board> App<'m, 's, 'b, B> {
    /// Creates the application that runs this model on this board.
    ///
    /// # Shapes
    /// `scratch` has at least the model's [`scratch_len`](Model::scratch_len) words; `receive` and
    /// `send` have at least [`link::frame_len`] bytes for its inputs and outputs: requests and
    /// answers that do not fit are refused. What is larger takes larger models by updates.
    ///
    /// # Errors
    /// [`ModelRejected`] if the model cannot run here.
    pub fn new(
        start: Start<'m>,
        scratch: &'s mut [u32],
        board: B,
        receive: &'b mut [u8],
        send: &'b mut [u8],
    ) -> Result<Self, ModelRejected> {
        let model = Model::parse(start.file).map_err(|_| ModelRejected::Unreadable)?;
        Engine::new(model.clone(), scratch)?;
        let buffers = Buffers { receive: receive.len(), send: send.len() };
        let device = Device {
            model,
            file: start.file,
            running: start.slot,
            in_ram: start.in_ram,
            scratch,
            board,
            update: None,
            buffers,
            bad_frames: 0,
            saturated_inputs: 0,
            recorder: Default::default(),
            #[cfg(feature = "signed-commands")]
            challenge: Default::default(),
        };
        Ok(App { device, receiver: Receiver::new(receive), send })
    }

    /// The model that runs.
    pub fn model(&self) -> &Model<'m> {
        &self.device.model
    }

    /// Answers requests until the stream ends.
    ///
    /// # Errors
    /// Errors of the stream.
    pub fn serve<S: Read + Write>(&mut self, stream: &mut S) -> Result<(), S::Error> {
        let mut bytes = [0; 32];
        loop {
            let count = stream.read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            for byte in bytes.get(..count).unwrap_or_default() {
                self.push(*byte, stream)?;
            }
        }
    }

    /// Takes the next byte, and answers if it completes a frame.
    fn push<S: Write>(&mut self, byte: u8, stream: &mut S) -> Result<(), S::Error> {
        let message = match self.receiver.push(byte) {
            Received::Nothing => return Ok(()),
            Received::TooLong => {
                let limit = self.receiver.capacity() as u32;
                Message { sequence: 0, body: Err(RequestError::TooLong { limit }) }
            }
            Received::Frame => match self.receiver.message::<Request<'_>>() {
                Ok(Message { sequence, body }) => Message { sequence, body: Ok(body) },
                Err(FrameError::Damaged) => {
                    Message { sequence: 0, body: Err(RequestError::Damaged) }
                }
                Err(FrameError::Unknown { sequence, .. }) => {
                    Message { sequence, body: Err(RequestError::UnknownRequest) }
                }
            },
        };
        let sequence = message.sequence;
        let mut len = 0;
        let send = &mut *self.send;
        let mut reply = |body: Response<'_>| {
            #[cfg(feature = "defmt")]
            if let Response::Error(error) = &body {
                defmt::warn!("request {=u16} failed: {}", sequence, defmt::Display2Format(error));
            }
            len = match link::encode(&Message { sequence, body }, send) {
                Some(frame) => frame.len(),
                None => {
                    let body = Response::Error(RequestError::ResponseTooLong);
                    link::encode(&Message { sequence, body }, send).map_or(0, <[u8]>::len)
                }
            };
        };
        let mut restart = false;
        match message.body {
            Ok(request) => restart = self.device.answer(request, &mut reply),
            Err(error) => {
                if error != RequestError::UnknownRequest {
                    self.device.bad_frames = self.device.bad_frames.saturating_add(1);
                }
                reply(Response::Error(error));
            }
        }
        // A light that fails must not keep the answer back.
        let _ = self.device.board.led().toggle();
        stream.write_all(self.send.get(..len).unwrap_or_default())?;
        stream.flush()?;
        if restart {
            self.device.board.restart();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
