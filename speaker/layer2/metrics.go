package layer2

import (
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// metrics of the package, by address family.
type metrics struct {
	ipv4, ipv6 *familyMetrics
	// unannounced counts addresses of both families, once for each interface.
	unannounced prometheus.Gauge
	failOver    prometheus.Histogram
	// clients counts those of both families that are remembered.
	clients prometheus.Gauge
	// clientsForgotten counts those for which there was no room.
	clientsForgotten prometheus.Counter
	// notIntroduced counts the introductions for which there was no room.
	notIntroduced prometheus.Counter
}

// familyMetrics are the metrics of one family, looked up once so that counting a frame is cheap.
type familyMetrics struct {
	received, answered, gratuitous, failed                    prometheus.Counter
	probes, questions, conflictsBegun, defences, droppedStale prometheus.Counter
	updates, introductions                                    prometheus.Counter
	held, conflicts                                           prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	counter := func(name, help string) *prometheus.CounterVec {
		return factory.NewCounterVec(prometheus.CounterOpts{Name: "daymark_layer2_" + name, Help: help}, []string{"family"})
	}
	received := counter("requests_received_total",
		"ARP requests and neighbor solicitations received, for any address.")
	answered := counter("requests_answered_total",
		"ARP requests and neighbor solicitations answered, because this node holds the address.")
	gratuitous := counter("gratuitous_sent_total",
		"Gratuitous ARP packets and unsolicited neighbor advertisements sent.")
	failed := counter("send_failures_total", "ARP and NDP packets that the kernel refused to send.")
	probes := counter("probes_total", "ARP probes and Duplicate Address Detection solicitations sent.")
	questions := counter("questions_total",
		"ARP requests and neighbor solicitations sent to a node that is silent in the gossip, or may be, to all, in search of such a node, "+
			"or to a few nodes on a segment without gossip.")
	conflictsBegun := counter("conflicts_total", "Conflicts with a foreign host about an address that have begun.")
	defences := counter("defences_total", "Announcements sent because a foreign host used a held address.")
	droppedStale := counter("stale_dropped_total",
		"Frames about held addresses not answered, because this node did not know whether another one had replaced it as holder.")
	updates := counter("client_updates_total", "ARP replies and neighbor advertisements that told one client of a shared address which node answers it.")
	introductions := counter("client_introductions_total", "Frames that told another node of a shared address of a client.")
	gauge := func(name, help string) *prometheus.GaugeVec {
		return factory.NewGaugeVec(prometheus.GaugeOpts{Name: "daymark_layer2_" + name, Help: help}, []string{"family"})
	}
	held := gauge("addresses_held", "Addresses that this node answers for.")
	conflicts := gauge("conflicts", "Addresses that a foreign host uses.")

	of := func(family lb.Family) *familyMetrics {
		label := family.String()
		return &familyMetrics{
			received: received.WithLabelValues(label), answered: answered.WithLabelValues(label),
			gratuitous: gratuitous.WithLabelValues(label), failed: failed.WithLabelValues(label),
			probes: probes.WithLabelValues(label), questions: questions.WithLabelValues(label), conflictsBegun: conflictsBegun.WithLabelValues(label),
			defences: defences.WithLabelValues(label), droppedStale: droppedStale.WithLabelValues(label),
			updates: updates.WithLabelValues(label), introductions: introductions.WithLabelValues(label),
			held: held.WithLabelValues(label), conflicts: conflicts.WithLabelValues(label),
		}
	}
	return &metrics{
		ipv4: of(lb.IPv4), ipv6: of(lb.IPv6), unannounced: newUnannounced(factory), failOver: newFailOverDuration(factory),
		clients: newClientsRemembered(factory), clientsForgotten: newClientsForgotten(factory),
		notIntroduced: newNotIntroduced(factory),
	}
}

func newUnannounced(factory promauto.Factory) prometheus.Gauge {
	return factory.NewGauge(prometheus.GaugeOpts{
		Name: "daymark_layer2_unannounced_addresses",
		Help: "Addresses held but not announced yet, because an interface announces only so many a second (--l2-announcement-rate).",
	})
}

func newClientsRemembered(factory promauto.Factory) prometheus.Gauge {
	return factory.NewGauge(prometheus.GaugeOpts{
		Name: "daymark_layer2_clients_remembered",
		Help: "Clients of shared addresses that this node would tell if it had to answer them in the place of another node.",
	})
}

func newClientsForgotten(factory promauto.Factory) prometheus.Counter {
	return factory.NewCounter(prometheus.CounterOpts{
		Name: "daymark_layer2_clients_forgotten_total",
		Help: "Clients of shared addresses that were forgotten because there were too many. They learn of another node when they ask again.",
	})
}

func newNotIntroduced(factory promauto.Factory) prometheus.Counter {
	return factory.NewCounter(prometheus.CounterOpts{
		Name: "daymark_layer2_client_introductions_dropped_total",
		Help: "Frames that would have told another node of a client, and were not sent because too many waited. The client learns of that node when it asks again.",
	})
}

func (m *metrics) of(family lb.Family) *familyMetrics {
	if family == lb.IPv6 {
		return m.ipv6
	}
	return m.ipv4
}

// setHeld sets the number of addresses that are held.
func (m *metrics) setHeld(held map[netip.Addr]Held) {
	var v4 int
	for addr := range held {
		if addr.Is4() {
			v4++
		}
	}
	m.ipv4.held.Set(float64(v4))
	m.ipv6.held.Set(float64(len(held) - v4))
}
