//! Everything that pgherd writes: results to standard output, the rest to standard error.

mod printer;
mod progress;
mod text;

pub use printer::{Color, Format, Output, OutputParser, Printer, Verbosity};
pub use progress::Line;
pub use text::{bytes, counted, elapsed, lasting, table, wrap};
