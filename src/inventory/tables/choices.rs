//! Settings whose value is one of a few.

use crate::inventory::value::choice;

choice! {
    /// What the operator may do with namespaces.
    NamespaceMode {
        /// It has rights in the listed namespaces only, and none for the whole cluster.
        Disabled = "disabled" default,
        /// It sees all namespaces and works in those that carry the installation's label.
        ReadOnly = "readonly",
        /// It sees all namespaces and may also create some.
        Dynamic = "dynamic",
    }
}

choice! {
    /// When the kubelet pulls an image.
    PullPolicy {
        /// When the node doesn't have it.
        IfNotPresent = "IfNotPresent" default,
        /// Before every start.
        Always = "Always",
        /// Not at all: it has to be on the node.
        Never = "Never",
    }
}

choice! {
    /// How many nodes and pods may use a volume at once.
    AccessMode {
        /// One node.
        ReadWriteOnce = "ReadWriteOnce" default,
        /// Many nodes.
        ReadWriteMany = "ReadWriteMany",
        /// One pod.
        ReadWriteOncePod = "ReadWriteOncePod",
    }
}

choice! {
    /// Where volumes come from.
    StorageType {
        /// A storage class makes them.
        Dynamic = "dynamic" default,
        /// They exist already, without a class.
        Static = "static",
    }
}

choice! {
    /// The algorithm of keys.
    KeyAlgorithm {
        /// ECDSA on the curve P-256: fast, and understood by everything.
        EcdsaP256 = "ecdsa-p256" default,
        /// ECDSA on the curve P-384.
        EcdsaP384 = "ecdsa-p384",
        /// Ed25519; clients older than OpenSSL 1.1.1 don't understand it.
        Ed25519 = "ed25519",
    }
}

choice! {
    /// Whether instances of one cluster stay on nodes of their own.
    PodAntiAffinity {
        /// Where there is room.
        Preferred = "preferred" default,
        /// Always: without a free node, an instance waits.
        Required = "required",
        /// No.
        Disabled = "disabled",
    }
}

choice! {
    /// How a Service is reached.
    ServiceType {
        /// From inside the cluster.
        ClusterIP = "ClusterIP" default,
        /// Also through a port of every node.
        NodePort = "NodePort",
        /// Also through a load balancer.
        LoadBalancer = "LoadBalancer",
    }
}

choice! {
    /// Which statements PostgreSQL logs.
    LogStatement {
        /// None.
        None = "none" default,
        /// Those that change definitions.
        Ddl = "ddl",
        /// Those that change anything.
        Mod = "mod",
        /// All.
        All = "all",
    }
}

choice! {
    /// Where the name of a bucket stands in an address.
    UriStyle {
        /// In front of the host.
        Host = "host" default,
        /// In the path, as most stores that are not Amazon's want it.
        Path = "path",
    }
}

choice! {
    /// What kind of key opens Google's store.
    GcsKeyType {
        /// The key file of a service account.
        Service = "service" default,
        /// A token.
        Token = "token",
        /// The pod's own identity.
        Auto = "auto",
    }
}

choice! {
    /// How much is logged.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// What happens.
        Info = "info" default,
        /// What is odd.
        Warn = "warn",
        /// What fails.
        Error = "error",
    }
}
