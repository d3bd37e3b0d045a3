//! The way to a database: which pod, as whom, and how its server proves who it is.

use kube::{Client, ResourceExt as _};

use super::no_instance;
use crate::{
    api::postgres_cluster::PostgresCluster,
    cli::{Code, Failure, verbs::target},
    desired::secrets::text,
    domain::cluster_names::ClusterNames,
    k8s::{self, clusters},
    postgres::{
        login::{self, Login},
        member::{self, Member, Role},
    },
};

/// Everything that doesn't change while the way is used. The pod does: it is looked up for every connection.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) cluster: String,
    pub(super) namespace: String,
    pub(super) role: Role,
    pub(super) port: u16,
    pub(super) login: Login,
    /// Certificates (PEM) that the server's is signed by.
    pub(super) authority: String,
}

impl Route {
    /// Reads what is needed of a cluster.
    pub(super) async fn find(
        client: &Client,
        cluster: &PostgresCluster,
        user: Option<&str>,
        database: Option<&str>,
        role: Role,
    ) -> Result<Self, Failure> {
        let namespace = cluster.namespace().unwrap_or_default();
        let name = cluster.name_any();
        let login = login(client, cluster, &namespace, user, database).await?;
        let (secret, key) = login::authority_of(cluster);
        let found = clusters::secret(client, &namespace, &secret).await?;
        let authority = found.as_ref().and_then(|secret| text(secret, &key)).ok_or_else(|| {
            Failure::new(Code::NoConnection, format!("cluster {namespace}/{name} has no certificate yet"))
                .because(format!("The server is checked against {key} of secret {namespace}/{secret}."))
                .next(format!("Is it ready? `pgherd show cluster {name} -n {namespace}`"))
        })?;
        let port = u16::try_from(cluster.spec.port).unwrap_or_default();
        Ok(Self { cluster: name, namespace, role, port, login, authority })
    }

    /// The name that the server's certificate has to hold, which is also that of the Service for this role.
    pub(super) fn server_name(&self) -> String {
        let names = ClusterNames::new(&self.cluster);
        let service = match self.role {
            Role::Primary => names.primary_service(),
            Role::Replica => names.replica_service(),
        };
        format!("{service}.{}.svc", self.namespace)
    }

    /// The instance that has the role now.
    pub(super) async fn member(&self, client: &Client) -> Result<Member, Failure> {
        self.current(client).await?.ok_or_else(|| no_instance(self))
    }

    /// The instance that has the role now, if there is one that answers.
    pub(super) async fn current(&self, client: &Client) -> Result<Option<Member>, k8s::Error> {
        let pods = clusters::pods(client, &self.namespace, &self.cluster).await?;
        let mut members = member::members(&pods);
        members.retain(|member| member.role == Some(self.role));
        // A primary is worth a try while its readiness probe hasn't caught up with it.
        let ready = members.iter().position(|member| member.ready);
        let chosen = match self.role {
            Role::Primary => ready.or((!members.is_empty()).then_some(0)),
            Role::Replica => ready,
        };
        Ok(chosen.map(|index| members.swap_remove(index)))
    }

    /// Says that an instance can't be connected to.
    pub(super) fn unreachable(&self, member: &Member) -> Failure {
        let Login { user, database, .. } = &self.login;
        Failure::new(
            Code::NoConnection,
            format!("can't connect to database {database:?} on {} as {user:?}", member.name),
        )
    }
}

async fn login(
    client: &Client,
    cluster: &PostgresCluster,
    namespace: &str,
    user: Option<&str>,
    database: Option<&str>,
) -> Result<Login, Failure> {
    let name = cluster.name_any();
    let mut secrets = clusters::user_secrets(client, Some(namespace), Some(&name)).await?;
    secrets.sort_by_key(kube::ResourceExt::name_any);
    let wanted = user.map(str::to_owned).or_else(|| login::default_user(cluster));
    let found = secrets.iter().find(|secret| login::user_of(secret) == wanted.as_deref());
    let secret = match (found, user) {
        (Some(secret), _) => secret,
        // Nobody was named, and the first user's Secret isn't there (any more): any other will do.
        (None, None) => secrets.first().ok_or_else(|| {
            Failure::new(Code::UserMissing, format!("cluster {namespace}/{name} has no user to log in as"))
                .because("No Secret of a user was found.")
                .next(format!("Is it ready? `pgherd show cluster {name} -n {namespace}`"))
        })?,
        (None, Some(user)) => {
            let known: Vec<String> = secrets.iter().filter_map(login::user_of).map(str::to_owned).collect();
            return Err(target::no_user(namespace, Some(&name), user, &known));
        }
    };
    Login::read(secret, database).map_err(|error| {
        Failure::new(
            Code::NoConnection,
            format!("secret {namespace}/{} doesn't tell how to log in", secret.name_any()),
        )
        .because(error.to_string())
    })
}
