//! The engine for the top-level `roles/`: load, render, order, plan, apply, wait.
//!
//! A role is a folder with a `role.toml` and templates. [`Catalogue`] reads them, [`components`] renders them for one
//! inventory, [`engine`] plans and applies what came out, [`record`] remembers it in the cluster.

mod catalogue;
pub mod certificates;
mod components;
pub mod contents;
pub mod engine;
#[cfg(test)]
mod examples;
mod files;
pub mod labels;
pub mod permissions;
pub mod record;
pub mod removal;
mod render;
pub mod rollback;
pub mod watched;

pub use self::{
    catalogue::{Catalogue, Role},
    components::{ACCESS, Component, Live, components},
    files::{FileError, Files},
};

/// Why roles can't be turned into objects.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of a role can't be read.
    #[error("{0}")]
    Read(std::io::Error),
    /// A `role.toml` is wrong.
    #[error("roles/{role}/role.toml: {reason}")]
    Description {
        /// The role.
        role: String,
        /// Why.
        reason: String,
    },
    /// There is no such role.
    #[error("there is no role {0:?}: only the roles that come with pgherd can be overridden")]
    UnknownRole(String),
    /// A value would get into the YAML unquoted.
    #[error("{file}:{line}: {{{{ {expression} }}}} is not quoted: end it with `| yaml`")]
    Unquoted {
        /// The template.
        file: String,
        /// The line in it, from 1.
        line: usize,
        /// What stands between the braces.
        expression: String,
    },
    /// A template can't be rendered.
    #[error("{file}: {reason}")]
    Template {
        /// The template.
        file: String,
        /// Why.
        reason: String,
    },
    /// What a template rendered to isn't an object.
    #[error("{file} doesn't render to Kubernetes objects: {reason}")]
    Object {
        /// The template.
        file: String,
        /// Why.
        reason: String,
    },
    /// Certificates can't be made.
    #[error(transparent)]
    Certificates(#[from] crate::certificates::Error),
}

impl From<crate::pki::Error> for Error {
    fn from(error: crate::pki::Error) -> Self {
        Self::Certificates(error.into())
    }
}
