//! Secondary networks of a pod, as Multus adds them: the reference plugin is called with the network's configuration, and
//! what it answers is kept where Multus has libcni keep it. Debian has no Multus; the plugins and the interfaces are real.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{Containerd, NETWORKS, PLUGINS, Pod};
use crate::base64;

/// Multus' own directory (multus-cni pkg/types/conf.go, `defaultCNIDir`): its notes on each sandbox, and libcni's cache.
const DIRECTORY: &str = "var/lib/cni/multus";

impl Containerd {
    /// Adds an interface to a pod. `definition` is the NetworkAttachmentDefinition as `namespace/name`, `configuration` its
    /// CNI configuration: of one plugin, with `cniVersion`, `name` and `type`. Returns the plugin's result.
    pub fn attach(&self, pod: &Pod, definition: &str, ifname: &str, configuration: &Value) -> Value {
        let mut delegates = self.delegates(pod);
        if delegates.is_empty() {
            delegates.push(self.default_network());
        }
        let mut delegate = delegate(definition, configuration);
        delegate["ifnameRequest"] = json!(ifname);
        delegates.push(delegate);
        self.write(&notes(pod), Value::from(delegates).to_string().as_bytes());

        let result: Value = serde_json::from_str(&self.plugin("ADD", pod, ifname, configuration)).unwrap();
        // libcni/api.go, `cachedInfo`.
        let cached = json!({
            "kind": "cniCacheV1",
            "containerId": pod.id,
            "config": base64(configuration.to_string().as_bytes()),
            "ifName": ifname,
            "networkName": configuration["name"],
            "netns": pod.netns,
            "cniArgs": arguments(pod),
            "result": result,
        });
        self.write(&cache(pod, ifname, configuration), cached.to_string().as_bytes());
        result
    }

    /// Takes all of a pod's secondary networks from it, the last one first.
    pub fn detach_all(&self, pod: &Pod) {
        for delegate in self.delegates(pod).iter().rev() {
            let Some(ifname) = delegate["ifnameRequest"].as_str() else { continue };
            let mut configuration = delegate["Conf"].clone();
            let cached = self.host_root().join(cache(pod, ifname, &configuration));
            let result: Value = serde_json::from_slice(&fs::read(&cached).unwrap()).unwrap();
            configuration["prevResult"] = result["result"].clone();
            self.plugin("DEL", pod, ifname, &configuration);
            fs::remove_file(cached).unwrap();
        }
        // There is none for a pod without secondary networks.
        let _ = fs::remove_file(self.host_root().join(notes(pod)));
    }

    /// What Multus noted of a pod's networks, the node's own first.
    fn delegates(&self, pod: &Pod) -> Vec<Value> {
        let text = fs::read(self.host_root().join(notes(pod)));
        text.map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default()
    }

    fn default_network(&self) -> Value {
        let file = self.files(NETWORKS).into_iter().next().unwrap();
        let text = fs::read(self.host_root().join(NETWORKS).join(file)).unwrap();
        let configuration: Value = serde_json::from_slice(&text).unwrap();
        delegate(configuration["name"].as_str().unwrap(), &configuration)
    }

    /// Calls a plugin (containernetworking/cni SPEC.md, "Execution Protocol"); returns what it prints.
    fn plugin(&self, command: &str, pod: &Pod, ifname: &str, configuration: &Value) -> String {
        let kind = configuration["type"].as_str().unwrap();
        let words: Vec<String> =
            arguments(pod).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        let (id, netns) = (pod.id.as_str(), pod.netns.as_deref().unwrap());
        let environment = [
            ("CNI_COMMAND", command),
            ("CNI_CONTAINERID", id),
            ("CNI_NETNS", netns),
            ("CNI_IFNAME", ifname),
            ("CNI_ARGS", &words.join(";")),
        ];
        self.run_plugin(kind, &environment, configuration)
    }

    /// Runs a plugin with these variables; returns what it prints.
    pub fn run_plugin(&self, kind: &str, environment: &[(&str, &str)], configuration: &Value) -> String {
        let output = self.on_node(|| {
            let mut child = Command::new(format!("{PLUGINS}/{kind}"))
                .envs(environment.iter().copied())
                .env("CNI_PATH", PLUGINS)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(configuration.to_string().as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        });
        let printed = String::from_utf8(output.stdout).unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kind} {environment:?}: {printed} {words}");
        printed
    }
}

/// `DelegateNetConf` of multus-cni pkg/types/types.go.
fn delegate(name: &str, configuration: &Value) -> Value {
    let is_list = configuration["plugins"].is_array();
    let (one, list) =
        if is_list { (json!({}), configuration.clone()) } else { (configuration.clone(), json!({})) };
    json!({
        "Conf": one,
        "ConfList": list,
        "Name": name,
        "IsFilterV4Gateway": false,
        "IsFilterV6Gateway": false,
        "Bytes": base64(configuration.to_string().as_bytes()),
    })
}

/// `createRuntimeConf` of multus-cni pkg/types/conf.go.
fn arguments(pod: &Pod) -> Vec<(&'static str, String)> {
    vec![
        ("IgnoreUnknown", "true".to_owned()),
        ("K8S_POD_NAMESPACE", pod.namespace.clone()),
        ("K8S_POD_NAME", pod.name.clone()),
        ("K8S_POD_INFRA_CONTAINER_ID", pod.id.clone()),
        ("K8S_POD_UID", pod.uid.clone()),
    ]
}

/// `saveDelegates` of multus-cni pkg/multus/multus.go.
fn notes(pod: &Pod) -> String {
    format!("{DIRECTORY}/{}", pod.id)
}

/// `getCacheFilePath` of libcni/api.go, below the directory that Multus gives it.
fn cache(pod: &Pod, ifname: &str, configuration: &Value) -> String {
    format!("{DIRECTORY}/results/{}-{}-{ifname}", configuration["name"].as_str().unwrap(), pod.id)
}
