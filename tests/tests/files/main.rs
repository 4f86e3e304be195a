//! Model files: imported, damaged, exported, inspected.

mod corrupt_fields;
mod corrupt_model;
mod documents;
mod export_c;
mod export_counts;
mod export_emulated;
mod export_lib;
mod export_packages;
mod golden;
mod golden_float;
mod import;
mod import_attacks;
mod import_float;
mod import_kinds;
mod inspect_for;
