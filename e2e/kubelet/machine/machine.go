// Package machine is a node with a real kubelet: a host of the lab with containerd, runc, CNI, kubelet and kube-proxy in namespaces
// and cgroups of its own. Nothing of it is played. It needs root. It refuses to know of Daymark, and makes no images.
package machine

import (
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// RegistryPort is where nodes expect the registry, on the API server's host.
const RegistryPort = 5000

// nodeScript is what the node starts with. Its processes have this name; the first of them heeds no signal but SIGKILL.
const nodeScript = "node.sh"

// shim is the name of the processes between containerd and the containers, as far as the kernel keeps it.
const shim = "containerd-shim"

//go:embed node.sh
var script []byte

// Machine is a node. It starts anew after Kill, with the disk that it had.
type Machine struct {
	*segment.Host
	PodsV4, PodsV6 netip.Prefix
	OnlyV6         bool // the node has no IPv4 address, and nor have its pods

	folder  string
	cgroups *Cgroups
	process *testnet.Process
}

// Settings are what a node is told.
type Settings struct {
	Proxy      string     // mode of kube-proxy: nftables or iptables
	Pause      string     // image of a pod's sandbox
	Kubeconfig string     // kube-proxy's
	ClientCA   string     // who signs the certificate by which the API server calls
	Server     netip.Addr // of the registry and of the cluster's DNS
}

// New prepares a node, n1 for number 1, on the segment, and starts nothing yet.
func New(network *segment.Segment, number int, folder string, cgroups *Cgroups, onlyV6 bool) (*Machine, error) {
	name := fmt.Sprintf("n%d", number)
	host, err := network.Join(name, segment.NodeAddress(number))
	if err != nil {
		return nil, err
	}
	m := &Machine{Host: host, folder: filepath.Join(folder, name), cgroups: cgroups, OnlyV6: onlyV6}
	m.PodsV4, m.PodsV6 = segment.KubeletPodRanges(number)
	if onlyV6 {
		err = host.DropIPv4()
	}
	return m, errors.Join(err, host.SetKernel(segment.Forwarding))
}

// Address is the node's address of the cluster's family.
func (m *Machine) Address() netip.Addr {
	if m.OnlyV6 {
		return m.V6
	}
	return m.V4
}

// PodRanges are those of its pods, that of the cluster's family first.
func (m *Machine) PodRanges() []string {
	if m.OnlyV6 {
		return []string{m.PodsV6.String()}
	}
	return []string{m.PodsV4.String(), m.PodsV6.String()}
}

// RoutePods tells another host where the node's pods are.
func (m *Machine) RoutePods(from *segment.Host) error {
	err := from.Route(m.PodsV6, m.V6, "eth0")
	if !m.OnlyV6 {
		err = errors.Join(err, from.Route(m.PodsV4, m.V4, "eth0"))
	}
	return err
}

// Configure writes all that the node reads, and says what it starts with.
func (m *Machine) Configure(plane *controlplane.ControlPlane, s Settings) error {
	if err := m.write(s); err != nil {
		return err
	}
	path := filepath.Join(m.folder, nodeScript)
	if err := os.WriteFile(path, script, 0o755); err != nil {
		return err
	}
	// A process must be in its groups before its cgroup namespace is made: they become the roots.
	const enter = `for group in $GROUPS_OF_NODE; do echo $$ >"$group/cgroup.procs"; done
		exec unshare --mount --uts --ipc --cgroup --pid --fork --kill-child --propagation private "$0" "$@"`
	m.process = testnet.NewProcess(m.Namespace, m.Name, m.folder, "bash", "-c", enter, path, m.Name, m.folder, m.Address().String())
	m.process.Env = []string{"PATH=" + build.NodePath(), "GROUPS_OF_NODE=" + strings.Join(m.cgroups.groups(m.Name), " ")}
	return plane.WriteNodeKubeconfig(filepath.Join(m.folder, "kubelet.conf"), m.Name)
}

// Start turns the node on.
func (m *Machine) Start() error {
	if _, err := m.cgroups.create(m.Name); err != nil {
		return err
	}
	return m.process.Start()
}

// Kill ends everything of the node at once. What it told its kernel stays, its routes and its rules for Services: a node that crashes
// also loses its port on the segment.
func (m *Machine) Kill() error {
	if m.process == nil {
		return nil
	}
	return errors.Join(m.process.Kill(), m.cgroups.remove(m.Name))
}

// Processes are the ids of the node's processes of this name, such as kubelet, containerd, or the program in a container.
func (m *Machine) Processes(name string) (pids []int, err error) {
	all, err := m.cgroups.processes(m.Name)
	if err != nil {
		return nil, fmt.Errorf("list the processes of %s: %w", m.Name, err)
	}
	return slices.DeleteFunc(all, func(pid int) bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return err != nil || strings.TrimSpace(string(b)) != name
	}), nil
}

// Signal sends a signal to every process of this name, of which there must be one.
func (m *Machine) Signal(name string, signal syscall.Signal) error {
	pids, err := m.Processes(name)
	if err == nil && len(pids) == 0 {
		err = fmt.Errorf("%s runs no %s", m.Name, name)
	}
	for _, pid := range pids {
		err = errors.Join(err, unix.Kill(pid, signal))
	}
	return err
}

// ShutDown tells all programs of the node to end, at once and each by itself: kubelet, containerd, kube-proxy and what is in containers,
// and first what would start some of them again. That is the worst of what a reboot does: systemd has its own order. As there, shims are
// left alone until the node is off (KillMode=process of containerd's unit): a containerd that still runs takes one that ends for dead, and
// kills what is in its container. It waits for none; Kill turns the node off.
func (m *Machine) ShutDown() error {
	all, err := m.cgroups.processes(m.Name)
	if err != nil {
		return fmt.Errorf("list the processes of %s: %w", m.Name, err)
	}
	program := func(pid int) string {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // nothing of one that has ended
		return strings.TrimSpace(string(b))
	}
	var others []int
	for _, pid := range all {
		switch program(pid) {
		case shim:
		case "unshare": // It would take the node down with it.
		case nodeScript:
			err = errors.Join(err, terminate(pid))
		default:
			others = append(others, pid)
		}
	}
	for _, pid := range others {
		err = errors.Join(err, terminate(pid))
	}
	return err
}

// terminate tells a process to end, if it has not yet.
func terminate(pid int) error {
	if err := unix.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("tell process %d to end: %w", pid, err)
	}
	return nil
}

// Logs is the folder of the logs of kubelet, containerd and kube-proxy.
func (m *Machine) Logs() string { return m.folder }

// Tail is the last lines of one of these logs, and of what the node itself has said.
func (m *Machine) Tail(program string, lines int) string {
	b, err := os.ReadFile(filepath.Join(m.folder, program+".log"))
	if err != nil {
		return err.Error() + "\n" + m.process.Tail(lines)
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
