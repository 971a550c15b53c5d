//! The terminal UI: the only place that imports ratatui and crossterm.
