//! The custom resources: types, schema and defaults, without any client.
