package reconcile

import (
	"errors"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/core/reason"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/speaker/proxycheck"
)

// errNotAsked is for a few milliseconds after the start, so it is no failure.
var errNotAsked = errors.New("the service proxy has not been asked yet")

// askedInterval is when to look again whether it has been.
const askedInterval = 100 * time.Millisecond

// serviceProxy is what is remembered of this node's service proxy.
type serviceProxy struct {
	judge   proxyhealth.Judge
	verdict proxyhealth.Verdict
	// text is what the proxy said when the state became what it is: words that change with each answer would cause writes.
	text string
	// status to report. Before anything is known it is what the Speaker object says, once that was read.
	status v1beta1.SpeakerServiceProxy
	read   bool
	// alone: the speakers do not talk to each other, so nothing is known of other proxies.
	alone bool
}

// lookAtProxy takes in what the service proxy last answered. An error means that it has not been asked yet: a node that has just
// booted must not announce before that, and one that has not must not withdraw.
func (l *Loop) lookAtProxy(s *snapshot) (err error) {
	node := s.node(l.cfg.Node)
	if node == nil {
		node = &lb.Node{}
	}
	l.exec.Proxy.Set(node.Addresses)
	result, known := l.exec.Proxy.Result()
	if !known {
		return errNotAsked
	}
	s.proxy = result
	return nil
}

// judgeProxies fills in which nodes attract nothing because of their service proxies. Each judges its own and tells the others.
func (l *Loop) judgeProxies(seen *snapshot, now time.Time) {
	p := &l.memory.proxy
	if !p.read && seen.own != nil {
		p.status = seen.own.Status.ServiceProxy
	}
	p.read = true
	unhealthy := map[string]bool{}
	in := proxyhealth.Input{Now: now, Check: seen.proxy.Check, OthersKnown: seen.view.Known, Before: proxyMemory(p.status, l.cfg.BootID)}
	in.Before.Withdrawn = in.Before.Worked && attractedNothing(seen.own)
	for node, peer := range seen.view.Peers {
		if node == l.cfg.Node {
			continue
		}
		in.OthersKnown = in.OthersKnown && peer.StateKnown
		in.Others = append(in.Others, peer.State.Proxy)
		unhealthy[node] = peer.State.Proxy.AttractsNothing()
	}
	p.alone = l.exec.Gossip.Off()
	if p.alone {
		l.askAboutProxies(seen, &in)
	}
	p.update(in, seen.proxy, l.cfg.BootID, l.cfg.Log)
	unhealthy[l.cfg.Node] = p.verdict.State.AttractsNothing()
	seen.world.ProxyUnhealthy, seen.world.OwnProxyFailed = unhealthy, !p.verdict.State.Healthy()
}

// askAboutProxies fills in how a few other proxies are, while this node's own fails and the speakers do not talk to each other.
func (l *Loop) askAboutProxies(seen *snapshot, in *proxyhealth.Input) {
	in.OthersKnown = true // No other speaker is going to tell.
	var ask []string
	silent := in.Check == proxyhealth.Failing || in.Check == proxyhealth.Absent
	if in.Check != proxyhealth.Working && (l.memory.proxy.verdict.State.Failing() || silent && in.Before.Worked) {
		ask = nodesToAsk(l.cfg.Node, seen.world.Nodes)
	}
	l.others.Set(ask)
	if len(ask) > 0 {
		var known bool
		in.Others, known = l.others.States()
		// The objects of others may be as old as this node's own is: that says whether what a speaker reports is written at all.
		in.Asking = !known || seen.own == nil || saidOfProxy(seen.own) != proxyhealth.Fails
	}
}

// update judges anew and remembers what is reported of it.
func (p *serviceProxy) update(in proxyhealth.Input, result proxycheck.Result, bootID string, log *slog.Logger) {
	before := p.verdict.State
	p.verdict = p.judge.Update(in)
	state := p.verdict.State
	switch state {
	case proxyhealth.Works:
		p.status = v1beta1.SpeakerServiceProxy{URL: lb.Truncate(result.URL, maxText), BootID: bootID}
	case proxyhealth.NotFound:
		p.status = v1beta1.SpeakerServiceProxy{BootID: bootID}
	default: // What was found stays found.
	}
	if state == before && p.text != "" {
		return
	}
	p.text = result.Text
	if c, told := p.condition(); told && c.Status == metav1.ConditionTrue {
		log.Warn("the service proxy does not work", "reason", c.Reason, "message", c.Message)
	} else if told {
		log.Info("the service proxy is judged", "reason", c.Reason, "message", c.Message)
	}
}

// proxyMemory is what a Speaker object says of the node's service proxy, in the present boot of the node or in an earlier one.
func proxyMemory(said v1beta1.SpeakerServiceProxy, bootID string) proxyhealth.Memory {
	sameBoot := said.BootID != "" && said.BootID == bootID
	return proxyhealth.Memory{Seen: said.URL != "", Worked: said.URL != "" && sameBoot, NotFound: said.URL == "" && sameBoot}
}

// attractedNothing reports whether a Speaker object says that its node attracts nothing because of its service proxy.
func attractedNothing(own *v1beta1.Speaker) bool {
	if own == nil {
		return false
	}
	c := meta.FindStatusCondition(own.Status.Conditions, v1beta1.ConditionServiceProxyUnhealthy)
	return c != nil && c.Status == metav1.ConditionTrue && c.Reason == v1beta1.ReasonAttractsNothing
}

// condition says what the service proxy means for the node; false: what was said before stands, because what is now may pass.
func (p *serviceProxy) condition() (metav1.Condition, bool) {
	said := func(is bool, why reason.Reason, message string) (metav1.Condition, bool) {
		return condition(v1beta1.ConditionServiceProxyUnhealthy, is, why, message), true
	}
	switch p.verdict.State {
	case proxyhealth.Works:
		return said(false, status.ProxyWorks, p.text)
	case proxyhealth.NotFound:
		return said(false, status.ProxyNotFound, "no service proxy is judged, since none was found on any node: "+p.text)
	case proxyhealth.FailsOnMost:
		if p.alone {
			return said(true, status.ProxyOthersUnknown, p.text+"; without gossip it is not known that it works on most other nodes, so this one announces all the same")
		}
		return said(true, status.ProxyFailsOnMostNodes, p.text+"; as on most nodes, so this one announces all the same")
	case proxyhealth.Awaited:
		return said(true, status.ProxyAttractsNothing, p.text+"; the node announces nothing before its service proxy works, because it has not since it booted")
	case proxyhealth.Withdrawn:
		return said(true, status.ProxyAttractsNothing, p.text+"; the node announces nothing until its service proxy works")
	case proxyhealth.Unsteady:
		return said(true, status.ProxyAttractsNothing, p.text+"; it failed several times, so the node announces nothing before it has worked for some time")
	case proxyhealth.NotChecked:
		return said(false, status.ProxyNotChecked, p.text)
	case proxyhealth.Fails:
		// Other speakers read it, which judge theirs by it.
		if p.alone {
			return said(true, status.ProxyFails, p.text+"; the node announces all the same, unless this lasts")
		}
	default:
	}
	return metav1.Condition{}, false
}
