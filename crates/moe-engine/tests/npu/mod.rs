//! What both layouts of the simulator are asked to do.

mod answers;
mod children;
mod containers;
mod counters;
mod forms;
mod golden;
mod graph_costs;
mod graph_refusals;
mod graphs;
mod machine;
mod machines;
mod models;
mod plans;
mod ranks;
mod rooms;
mod session_files;
mod sessions;
mod threads;
mod weather;
mod window;
