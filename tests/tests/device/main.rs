//! Boards: the link, updates, recordings, ends by failures, and projects that are built for them.

mod bad_model_build;
mod boards;
mod firmware_examples;
mod interrupt;
mod link_garbage;
mod link_python;
mod new_project;
mod panic_exit;
mod record;
mod sensors_emulated;
mod serial_port;
mod signed_update;
mod uart_noise;
mod update;
