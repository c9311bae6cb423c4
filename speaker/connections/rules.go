package connections

import (
	"fmt"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// reserve is the time to live that a packet has at least when it has been passed on: as many routers may be between that node and
// the pod.
const reserve = 16

// burst is how many packets the limit lets pass at once.
const burst = 10_000

// One address may have three quarters of the limit: forged packets to the address of one tenant leave the rest to those of others, and a
// flood of half of the limit leaves room for the open connections of its own address.
const addrShare, addrShareOf = 3, 4

// A rate is forgotten after ratesTimeout without a packet. No more than ratesSize addresses have one; those beyond share the limit.
const (
	ratesTimeout = 10 * time.Second
	ratesSize    = 16_384
)

// Names of chains. The one for a number of hops has the number behind its name.
const (
	chainBase, chainPass, chainHops = "prerouting", "pass", "hops"
)

// Flags of TCP (RFC 9293 section 3.1).
const flagFIN, flagSYN, flagRST = 0x01, 0x02, 0x04

// beforeProxy is the priority of the chain. Connection tracking (-200) has seen the packet, and so have the filters of kube-proxy by source
// (-110) and those of the node's operator (raw, mangle); no one has translated it yet (dstnat, -100).
const beforeProxy = -101

// sets returns the sets of a table, without elements.
func (t *table) sets(k *nftables.Table) []*nftables.Set {
	return []*nftables.Set{
		{Table: k, Name: mapNext, IsMap: true, KeyType: t.addrType, DataType: t.addrType, HasTimeout: true},
		{Table: k, Name: mapHops, IsMap: true, KeyType: t.addrType, DataType: nftables.TypeVerdict, HasTimeout: true},
		{Table: k, Name: setMoved, KeyType: t.addrType, HasTimeout: true},
	}
}

// rates returns the set of the addresses that packets were passed on for lately, each with its rate.
func (t *table) rates(k *nftables.Table) *nftables.Set {
	return &nftables.Set{
		Table: k, Name: setRates, KeyType: t.addrType, Dynamic: true, HasTimeout: true, Timeout: ratesTimeout, Size: ratesSize,
	}
}

// chainNames returns the names of all chains, the base chain last: it refers to the others.
func (t *table) chainNames() []string {
	names := []string{chainPass}
	for hops := 1; hops <= maxHops; hops++ {
		names = append(names, gotoHops(hops).Chain)
	}
	return append(names, chainBase)
}

// addAll fills an empty table, except for the elements of its sets.
func (t *table) addAll(c *nftables.Conn, k *nftables.Table, rate uint64) error {
	for _, name := range []string{counterPassed, counterLimit} {
		c.AddObj(&nftables.NamedObj{Table: k, Name: name, Type: nftables.ObjTypeCounter, Obj: &expr.Counter{}})
	}
	for _, name := range t.chainNames() {
		chain := &nftables.Chain{Name: name, Table: k}
		if name == chainBase {
			policy := nftables.ChainPolicyAccept
			chain.Type, chain.Policy = nftables.ChainTypeFilter, &policy
			chain.Hooknum, chain.Priority = nftables.ChainHookPrerouting, nftables.ChainPriorityRef(beforeProxy)
		}
		c.AddChain(chain)
	}
	for _, s := range append(t.sets(k), t.rates(k)) {
		if err := c.AddSet(s, nil); err != nil {
			return fmt.Errorf("add the set %s: %w", s.Name, err)
		}
	}
	t.addRules(c, k, rate)
	return nil
}

// addRules fills the chains of a table, which are empty.
func (t *table) addRules(c *nftables.Conn, k *nftables.Table, rate uint64) {
	for _, name := range t.chainNames() {
		for place, rule := range t.rules(name, rate) {
			c.AddRule(&nftables.Rule{Table: k, Chain: &nftables.Chain{Name: name, Table: k}, Exprs: rule, UserData: mark(name, place)})
		}
	}
}

// rules returns the rules of a chain, in order.
func (t *table) rules(chain string, rate uint64) [][]expr.Any {
	switch chain {
	case chainBase:
		return t.baseRules()
	case chainPass:
		return t.passRules(rate)
	}
	hops := chain[len(chain)-1] - '0'
	return [][]expr.Any{
		// A packet is passed on so often at most, by all nodes together.
		join(t.ttlAbove(reserve+hops), t.setTTL(reserve+hops)),
		{&expr.Verdict{Kind: expr.VerdictGoto, Chain: chainPass}},
	}
}

// baseRules pick what is to be passed on. The first lets almost everything through.
func (t *table) baseRules() [][]expr.Any {
	known := expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED | expr.CtStateBitUNTRACKED
	return [][]expr.Any{
		join(ctState(known), verdict(expr.VerdictAccept)),
		// What begins a connection is served here, and picked up are packets amid one. The kernel calls those invalid that end one.
		join(protocol(unix.IPPROTO_TCP), flags(flagSYN|flagRST|flagFIN, false), ctState(expr.CtStateBitNEW), t.lookUpHops()),
		join(protocol(unix.IPPROTO_TCP), flags(flagSYN, false), flags(flagRST|flagFIN, true), ctState(expr.CtStateBitINVALID), t.lookUpHops()),
		// Errors of ICMP about packets that another node sent, such as "fragmentation needed".
		join(protocol(t.icmp), icmpType(t.icmpErrors), ctState(expr.CtStateBitINVALID), t.lookUpHops()),
		// Nobody else is asked. Without an endpoint here the service proxy would drop it, and the client would wait for nothing.
		join(protocol(unix.IPPROTO_TCP), flags(flagSYN|flagRST|flagFIN, false), ctState(expr.CtStateBitNEW), t.isMoved(), t.reset()),
		// What is left belongs to no connection. Nobody translates it, so the node would send it back to the segment.
		join(ctState(expr.CtStateBitINVALID), t.isMoved(), verdict(expr.VerdictDrop)),
	}
}

// passRules pass a packet on: copy it to the next node, one less in its time to live, and drop it here.
func (t *table) passRules(rate uint64) [][]expr.Any {
	next := []expr.Any{&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: mapNext}, &expr.Dup{RegAddr: 1}}
	// Each address first: what that drops takes nothing from the others.
	ofAddr := &expr.Dynset{
		SrcRegKey: 1, SetName: setRates, Operation: unix.NFT_DYNSET_OP_UPDATE, Timeout: ratesTimeout,
		Exprs: []expr.Any{over(max(1, rate/addrShareOf*addrShare), burst/addrShareOf*addrShare)},
	}
	return [][]expr.Any{
		join(t.ttlAbove(reserve), t.daddr(), []expr.Any{ofAddr}, counter(counterLimit), verdict(expr.VerdictDrop)),
		join(t.ttlAbove(reserve), []expr.Any{over(rate, burst)}, counter(counterLimit), verdict(expr.VerdictDrop)),
		join(t.ttlAbove(reserve), counter(counterPassed), t.daddr(), next, verdict(expr.VerdictDrop)),
		join(ctState(expr.CtStateBitINVALID), verdict(expr.VerdictDrop)),
		join(protocol(unix.IPPROTO_TCP), t.isMoved(), t.reset()),
	}
}

// over goes on if there are more packets a second.
func over(rate uint64, burst uint32) *expr.Limit {
	return &expr.Limit{Type: expr.LimitTypePkts, Rate: rate, Unit: expr.LimitTimeSecond, Burst: burst, Over: true}
}

// isMoved goes on if the packet's destination was here and moved away.
func (t *table) isMoved() []expr.Any {
	return append(t.daddr(), &expr.Lookup{SourceRegister: 1, SetName: setMoved})
}

// reset answers that there is no such connection, or does nothing where the kernel cannot.
func (t *table) reset() []expr.Any {
	if t.unresetting {
		return nil
	}
	return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}
}

// gotoHops is the verdict for packets that are passed on at most so often.
func gotoHops(hops int) *expr.Verdict {
	return &expr.Verdict{Kind: expr.VerdictGoto, Chain: fmt.Sprintf("%s%d", chainHops, hops)}
}

// lookUpHops goes to the chain that mapHops has for the packet's destination.
func (t *table) lookUpHops() []expr.Any {
	return append(t.daddr(), &expr.Lookup{SourceRegister: 1, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true, SetName: mapHops})
}

// join joins the parts of a rule.
func join(parts ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

func counter(name string) []expr.Any {
	return []expr.Any{&expr.Objref{Type: int(nftables.ObjTypeCounter), Name: name}}
}

// ctState goes on if connection tracking gave the packet one of the states.
func ctState(states uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(states), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

// protocol goes on if the packet is of a transport protocol.
func protocol(number byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}},
	}
}

// flags goes on if a TCP segment has one of the flags, or none of them.
func flags(mask byte, has bool) []expr.Any {
	op := expr.CmpOpEq
	if has {
		op = expr.CmpOpNeq
	}
	return []expr.Any{
		&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{mask}, Xor: []byte{0}},
		&expr.Cmp{Op: op, Register: 1, Data: []byte{0}},
	}
}

// icmpType goes on if the type of an ICMP message is within bounds, which are included.
func icmpType(bounds [2]byte) []expr.Any {
	rule := []expr.Any{&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Len: 1}}
	if bounds[0] == bounds[1] {
		return append(rule, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: bounds[:1]})
	}
	return append(rule, &expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: bounds[:1]}, &expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: bounds[1:]})
}
