//! localhost has no IPv6 address on a node that has nothing else.

use super::super::prelude::*;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-localhost-ipv6-missing",
    family: Family::Host,
    title: "localhost has no IPv6 address on an IPv6-only node",
    symptom: "etcd and other static pods restart over and over: their probes ask localhost.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "Lines of /etc/hosts for ::1, where all of the cluster's networks are of IPv6.",
        why: "The image of the machine has localhost for 127.0.0.1 only.",
        fix: "Add the line `::1 localhost` to /etc/hosts.",
        not_if: "",
        seen_in: "rke2-docs basic_network_options.md",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let cidrs = model.setup.intent.as_ref().map(|intent| intent.cluster_cidrs.as_slice()).unwrap_or_default();
    let Some(cidr) = cidrs.first().filter(|_| cidrs.iter().all(|cidr| cidr.value.addr().is_ipv6())) else {
        return Outcome::DoesNotApply("no file says that the cluster is of IPv6 only");
    };
    let hosts = model.snapshot.files.value().map(|files| &files.hosts);
    if let Some(why) = hosts.and_then(crate::observed::Observed::trouble) {
        return Outcome::NotJudged(why);
    }
    let Some(lines) = hosts.and_then(crate::observed::Observed::value) else {
        return Outcome::DoesNotApply("there is no /etc/hosts");
    };
    let names_it = |address: std::net::IpAddr| {
        let own = lines.iter().filter(move |line| line.value.address == address);
        own.into_iter().find(|line| line.value.names.iter().any(|name| name == "localhost"))
    };
    if names_it(std::net::Ipv6Addr::LOCALHOST.into()).is_some() {
        return Outcome::Judged(Vec::new());
    }
    let ipv4 = names_it(std::net::Ipv4Addr::LOCALHOST.into());
    let has = if ipv4.is_some() { "127.0.0.1 only" } else { "nothing" };
    Outcome::Judged(vec![
        Finding::new(
            Warn,
            SubjectKind::File,
            "/etc/hosts",
            "The cluster is of IPv6 only, and /etc/hosts has no localhost for ::1.".to_owned(),
        )
        .seen("localhost", has, ipv4.map_or_else(|| "/etc/hosts".to_owned(), |line| escape(&line.place())))
        .seen("cluster-cidr", cidr.value, cidr.file.as_deref().map_or_else(String::new, escape))
        .fix("Add the line. Nothing is interrupted.")
        .run("echo '::1 localhost' >> /etc/hosts"),
    ])
}
