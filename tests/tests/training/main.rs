//! The command line: data, training, quantization, run folders.

mod any_table;
mod bad_input;
mod command_line;
mod determinism;
mod durability;
mod features;
mod fetch;
mod images;
mod notebooks;
mod own_data;
mod quantize;
mod recordings;
mod run_folder;
mod search;
mod tables;
mod targets_and_classes;
mod train_budget;
mod training_errors;
