//! Database clusters: created, used, changed and deleted, with real pods.

mod adoption;
mod availability;
mod creation;
mod customise;
mod guide;
mod images;
mod interruption;
mod life;
mod pgbouncer;
mod random;
mod renewal;
mod rollout;
mod standby;
mod volumes;
