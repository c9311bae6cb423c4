package trace

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/netnstest"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

const (
	// whoHas is an ARP request of 192.0.2.100 for 192.0.2.200.
	whoHas = "ffffffffffff02000000026408060001080006040001020000000264c0000264000000000000c00002c8"
	// update is a BGP UPDATE message that announces 192.0.2.200/32.
	update = "ffffffffffffffffffffffffffffffff002a020000000e40010100400200400304c000020b20c00002c8"
)

var begun = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func decoded(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// events that a speaker sends.
func events(t *testing.T) []traceapi.Event {
	t.Helper()
	return []traceapi.Event{
		{Protocol: traceapi.Layer2, Decision: "n2 holds it"},
		{
			Protocol: traceapi.ARP, Direction: traceapi.In, On: "eth0", Summary: "who has 192.0.2.200, by 192.0.2.100 (02:00:00:00:02:64)",
			Decision: "not answered: n2 holds it", Frame: decoded(t, whoHas),
		},
		{
			Protocol: traceapi.BGP, Direction: traceapi.Out, On: "tor", Summary: "UPDATE with 192.0.2.200/32", Decision: "announced", Dropped: 7,
			Frame: decoded(t, update), Local: netip.MustParseAddrPort("192.0.2.11:40000"), Remote: netip.MustParseAddrPort("192.0.2.1:179"),
		},
		{Protocol: traceapi.Gossip, Direction: traceapi.In, On: "n2", Summary: "claim: n2 holds it, term 3\x1b[2J", Decision: "it counts from now on"},
	}
}

// speaker is the Pod of a node; port 0: traces are off.
func speaker(node string, port int32) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "daymark-system", Name: "speaker-" + node, Labels: map[string]string{
			"app.kubernetes.io/name": "daymark", "app.kubernetes.io/component": "speaker",
		}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "speaker"}}},
	}
	if port > 0 {
		pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "metrics", ContainerPort: 7472}, {Name: traceapi.Port, ContainerPort: port}}
	}
	return pod
}

// run runs the command in a cluster whose speakers answer by a handler, and returns what it prints.
func run(t *testing.T, handler http.Handler, pods []runtime.Object, gaps []source.Gap, arguments ...string) (out, remarks string, status int) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	var stdout, stderr bytes.Buffer
	e := env.New(genericiooptions.IOStreams{Out: &stdout, ErrOut: &stderr})
	e.System, e.Objects = "daymark-system", &source.Memory{Items: pods, Gaps: gaps}
	o := &options{Env: e, reach: &reach{
		token: "secret",
		dial: func(ctx context.Context, _ *corev1.Pod) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
		},
	}}
	c := o.command()
	c.SetArgs(arguments)
	c.SilenceErrors, c.SilenceUsage = true, true
	err := c.ExecuteContext(t.Context())
	if err != nil {
		stderr.WriteString(err.Error())
	}
	return stdout.String(), stderr.String(), env.ExitStatus(err)
}

// sends is a speaker that sends events and then ends the stream.
func sends(t *testing.T, all []traceapi.Event) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.URL.Path != traceapi.Path || r.URL.Query().Get(traceapi.AddressParameter) != "192.0.2.200" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		for i := range all {
			e := all[i]
			e.Time, e.Node = begun.Add(time.Duration(i)*time.Millisecond), "another"
			fmt.Fprintln(w)
			_ = json.NewEncoder(w).Encode(e)
		}
	})
}

func TestTrace_ShowsEachEventOnALine(t *testing.T) {
	time.Local = time.UTC
	out, remarks, status := run(t, sends(t, events(t)), []runtime.Object{speaker("n1", 7474), speaker("n10", 0)}, nil, "192.0.2.200")
	want := `12:00:00.000  n1  layer2              n2 holds it
12:00:00.001  n1  ARP in  eth0        who has 192.0.2.200, by 192.0.2.100 (02:00:00:00:02:64): not answered: n2 holds it
12:00:00.002  n1  7 events are missing here: there were too many
12:00:00.002  n1  BGP out tor         UPDATE with 192.0.2.200/32: announced
12:00:00.003  n1  gossip in  n2       claim: n2 holds it, term 3\x1b[2J: it counts from now on
`
	if out != want {
		t.Errorf("printed is\n%s\nwant\n%s", out, want)
	}
	for _, text := range []string{
		"traces are off, so what these nodes see is not shown: n10", "node n1 sees: it has ended the stream, as it does after an hour",
		"no speaker answers any more",
	} {
		if !strings.Contains(remarks, text) {
			t.Errorf("%q is not said in\n%s", text, remarks)
		}
	}
	if status != env.ExitWrong {
		t.Errorf("status %d", status)
	}
}

// A speaker that is stopped, or a node that drops packets, has the same time to be reached as to say something.
func TestTrace_EndsWhenASpeakerIsNotReached(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := &reach{dial: func(ctx context.Context, _ *corev1.Pod) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		began := time.Now()
		err := r.stream(t.Context(), speaker("n1", 7474), netip.MustParseAddr("192.0.2.200"), nil)
		if err == nil || !strings.Contains(err.Error(), "nothing has come for 30s") || time.Since(began) != silence {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestTrace_JSON(t *testing.T) {
	out, _, _ := run(t, sends(t, events(t)), []runtime.Object{speaker("n1", 7474)}, nil, "192.0.2.200", "-o", "json")
	var last traceapi.Event
	decoder := json.NewDecoder(strings.NewReader(out))
	for range events(t) {
		if err := decoder.Decode(&last); err != nil {
			t.Fatal(err)
		}
	}
	if last.Node != "n1" || last.Protocol != traceapi.Gossip {
		t.Errorf("the last event is %+v", last)
	}
}

func TestTrace_SaysWhyThereIsNothing(t *testing.T) {
	forbidden := []source.Gap{{Resource: source.Pods.Name(), Namespace: "daymark-system", Why: source.Forbidden}}
	for _, test := range []struct {
		name      string
		pods      []runtime.Object
		gaps      []source.Gap
		arguments string
		status    int
		want      string
	}{
		{"no address", nil, nil, "web", env.ExitUsage, `"web" is not an address`},
		{"another format", nil, nil, "192.0.2.200 -o yaml", env.ExitUsage, "text or json"},
		{"no speakers", nil, nil, "192.0.2.200", env.ExitWrong, "no speakers"},
		{"none on that node", []runtime.Object{speaker("n1", 7474)}, nil, "192.0.2.200 --node n2", env.ExitWrong, "no speakers"},
		{"off", []runtime.Object{speaker("n1", 0)}, nil, "192.0.2.200", env.ExitWrong, "set speaker.trace to true"},
		{"no right", nil, forbidden, "192.0.2.200", env.ExitWrong, "the Role daymark-trace"},
		{"refused", []runtime.Object{speaker("n1", 7474)}, nil, "192.0.2.201", env.ExitWrong, "the speaker answers 403 Forbidden: no"},
	} {
		out, remarks, status := run(t, sends(t, nil), test.pods, test.gaps, strings.Fields(test.arguments)...)
		if out != "" || !strings.Contains(remarks, test.want) || status != test.status {
			t.Errorf("%s: status %d, printed\n%s%s", test.name, status, out, remarks)
		}
	}
}

// unwritable is an output that could not be written to.
type unwritable struct{ bytes.Buffer }

func (*unwritable) Failed() error { return errors.New("no space left on device") }

// A trace goes on until its user ends it: into a full disk it would do so for ever.
func TestTrace_EndsWhenItCannotWrite(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		o := &options{Env: env.New(genericiooptions.IOStreams{Out: &unwritable{}}), format: format}
		show, _, err := o.sink(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := show(&events(t)[0]); err == nil || !strings.Contains(err.Error(), "no space left on device") {
			t.Errorf("%s goes on with the error %v", format, err)
		}
	}
}

// TestTrace_WritesWhatWiresharkReads: frames, messages and words, each with the decision as its comment.
func TestTrace_WritesWhatWiresharkReads(t *testing.T) {
	netnstest.NeedProgram(t, "tshark")
	file := filepath.Join(t.TempDir(), "trace.pcapng")
	run(t, sends(t, events(t)), []runtime.Object{speaker("n1", 7474)}, nil, "192.0.2.200", "-w", file)
	fields := []string{
		"-r", file, "-T", "fields", "-E", "separator=|", "-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "frame.protocols",
		"-e", "arp.dst.proto_ipv4", "-e", "bgp.nlri_prefix", "-e", "exported_pdu.ipv4_src", "-e", "exported_pdu.src_port",
		"-e", "exported_pdu.ipv4_dst", "-e", "exported_pdu.dst_port", "-e", "frame.comment",
	}
	output, err := exec.CommandContext(t.Context(), "tshark", fields...).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1795694400.000000000|n1/|exported_pdu:data-text-lines|||||||n1: n2 holds it",
		"1795694400.001000000|n1/eth0|eth:ethertype:arp|192.0.2.200||||||n1: who has 192.0.2.200, by 192.0.2.100 (02:00:00:00:02:64): not answered: n2 holds it",
		"1795694400.002000000|n1/tor|exported_pdu:bgp||192.0.2.200|192.0.2.11|40000|192.0.2.1|179|n1: UPDATE with 192.0.2.200/32: announced",
		"1795694400.003000000|n1/n2|exported_pdu:data-text-lines|||||||n1: claim: n2 holds it, term 3^[[2J: it counts from now on",
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if !slices.Equal(lines, want) {
		t.Errorf("tshark reads\n%s\nwant\n%s", output, strings.Join(want, "\n"))
	}
}
