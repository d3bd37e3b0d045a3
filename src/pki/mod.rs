//! Certificate authorities and leaves; pure functions over PEM text and a given time.
