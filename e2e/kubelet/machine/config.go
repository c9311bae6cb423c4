package machine

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// files are a node's configuration: below its folder, by name.
var files = map[string]string{
	"containerd.toml": `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{{ .Pause }}"
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = "/etc/containerd/certs.d"
[plugins.'io.containerd.cri.v1.runtime']
  # Where root lacks CAP_SYS_RESOURCE no process may lower its oom_score_adj, and that of a critical pod is -997.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "/etc/cni/net.d"
`,
	// Every registry there is: images keep the names that manifests have.
	"etc/containerd/certs.d/_default/hosts.toml": `[host."http://{{ .Registry }}"]
  capabilities = ["pull", "resolve"]
`,
	"etc/cni/net.d/10-lab.conflist": `{"cniVersion": "1.0.0", "name": "lab", "plugins": [{"type": "ptp", "ipMasq": false,
  "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam", "ranges": [
    {{- if not .OnlyV6 }}[{"subnet": "{{ .PodsV4 }}"}], {{ end }}[{"subnet": "{{ .PodsV6 }}"}]],
  "routes": [{{ if not .OnlyV6 }}{"dst": "0.0.0.0/0"}, {{ end }}{"dst": "::/0"}]}}]}
`,
	"resolv.conf": "nameserver {{ .DNS }}\n",
	"kubelet.yaml": `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
# The node's cgroup namespace makes its own group the root.
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /
failSwapOn: false
makeIPTablesUtilChains: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: {{ .ClientCA }}}
authorization: {mode: Webhook}
clusterDomain: cluster.local
clusterDNS: [{{ .DNS }}]
resolvConf: {{ .Folder }}/resolv.conf
# The machine's disk is shared: nothing is evicted and no image collected for want of it.
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%, imagefs.inodesFree: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 10s
`,
	// A namespace may not set the timeouts of conntrack.
	"kube-proxy.yaml": `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: {{ .Proxy }}
hostnameOverride: {{ .Name }}
clientConnection: {kubeconfig: {{ .Kubeconfig }}}
detectLocalMode: NodeCIDR
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
healthzBindAddress: "{{ if .OnlyV6 }}[::]{{ else }}0.0.0.0{{ end }}:10256"
`,
}

// write writes the node's files, but for its kubelet's kubeconfig.
func (m *Machine) write(s Settings) error {
	data := struct {
		Settings
		*Machine
		Folder   string
		Registry netip.AddrPort
		DNS      netip.Addr
	}{s, m, m.folder, netip.AddrPortFrom(s.Server, RegistryPort), s.Server}
	for name, text := range files {
		t, err := template.New(name).Parse(text)
		if err != nil {
			return fmt.Errorf("parse %s: %w", name, err)
		}
		var b strings.Builder
		if err := t.Execute(&b, data); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		path := filepath.Join(m.folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
