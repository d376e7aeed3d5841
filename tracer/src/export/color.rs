//! Colours of the terminal.

/// Adds a text in a colour, where colours are used.
pub(super) fn paint(colors: bool, color: &str, text: &str, out: &mut String) {
    if colors && !color.is_empty() {
        out.push_str(color);
        out.push_str(text);
        out.push_str(RESET);
    } else {
        out.push_str(text);
    }
}

pub(super) const BOLD: &str = "\x1b[1m";
pub(super) const DIM: &str = "\x1b[2m";
pub(super) const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";
