package main

import "slices"

// Kinds of panels and units, as Grafana has them.
const (
	timeseries = "timeseries"
	stat       = "stat"
	short      = "short"
	seconds    = "s"
	perSecond  = "ops"
)

// overview is what is asked first: do Services have addresses, are these announced, and does everything run.
func overview() dashboard {
	return dashboard{"Daymark", "Services, pools, layer 2, and the programs.", slices.Concat(services(), layer2(), connections(), programs())}
}

// services are about Services and their addresses.
func services() []panel {
	return []panel{
		{
			"Services by reason", "Services that wait for an address or are not announced, by the reason of the condition. Empty is good.", timeseries, short,
			[]query{{`sum by (condition, reason) (daymark_controller_services{status="False"}) or vector(0)`, "{{condition}}: {{reason}}"}},
		},
		{
			"Services that are announced", "Services whose condition Announced is True.", stat, short,
			[]query{{`sum(daymark_controller_services{condition="Announced", status="True"}) or vector(0)`, "announced"}},
		},
		{
			"Addresses left in pools", "What each pool can still give.", timeseries, short,
			[]query{{`max by (pool, family) (daymark_pool_addresses{state="available"})`, "{{pool}} {{family}}"}},
		},
		{
			"Addresses given", "Addresses of each pool that Services have.", timeseries, short,
			[]query{{`max by (pool, family) (daymark_pool_addresses{state="assigned"})`, "{{pool}} {{family}}"}},
		},
	}
}

// layer2 is about the holders of addresses, and the speakers that choose them.
func layer2() []panel {
	return []panel{
		{
			"Addresses held by layer 2", "How many addresses each node answers for.", timeseries, short,
			[]query{{`sum by (node) (daymark_layer2_addresses_held{node=~"$node"})`, "{{node}}"}},
		},
		{
			"Holders of addresses", "Addresses that one node is to hold, by how many report that they do. All are to be 1, or unknown where nodes hold more than they list.",
			timeseries, short,
			[]query{{`max by (holders) (daymark_controller_layer2_addresses)`, "held by {{holders}}"}},
		},
		{
			"Conflicts", "Addresses of Services that foreign hosts use. 0 is good.", timeseries, short,
			[]query{{`sum by (node) (daymark_layer2_conflicts{node=~"$node"})`, "{{node}}"}},
		},
		{
			"Fail-overs", "Addresses taken over from speakers that died.", timeseries, short,
			[]query{{`sum by (node) (increase(daymark_layer2_failover_duration_seconds_count{node=~"$node"}[$__rate_interval]))`, "{{node}}"}},
		},
		{
			"Duration of fail-overs", "From the last sign of life of the former holder to the first announcement by the next: mean, and nine in ten.", timeseries, seconds,
			[]query{
				{`sum(daymark_layer2_failover_duration_seconds_sum{node=~"$node"}) / sum(daymark_layer2_failover_duration_seconds_count{node=~"$node"})`, "mean"},
				{`histogram_quantile(0.9, sum by (le) (daymark_layer2_failover_duration_seconds_bucket{node=~"$node"}))`, "nine in ten"},
			},
		},
		{
			"Speakers that see each other", "Speakers alive as each node sees them, and how many there should be. All lines are to be one.", timeseries, short,
			[]query{
				{`min(daymark_gossip_members_alive)`, "least"},
				{`max(daymark_gossip_members_alive)`, "most"},
				{`max(daymark_gossip_members_expected)`, "should be"},
			},
		},
		{
			"Heartbeats missed", "Heartbeats of other speakers that did not come in time, a second. A few are no harm.", timeseries, perSecond,
			[]query{{`sum by (node) (rate(daymark_gossip_heartbeats_missed_total{node=~"$node"}[$__rate_interval]))`, "{{node}}"}},
		},
		{
			"Requests for addresses", "ARP requests and neighbor solicitations answered, a second.", timeseries, perSecond,
			[]query{{`sum by (family) (rate(daymark_layer2_requests_answered_total{node=~"$node"}[$__rate_interval]))`, "{{family}}"}},
		},
	}
}

// connections are about those that stay open when an address moves.
func connections() []panel {
	return []panel{
		{
			"Open connections to addresses that moved", "Left on nodes that such addresses moved away from. A node with none may be stopped.", timeseries, short,
			[]query{{`sum by (node) (daymark_connections_left{node=~"$node"})`, "{{node}}"}},
		},
		{
			"Packets passed on", "Of connections that another node has, a second; and those that were too many.", timeseries, perSecond,
			[]query{
				{`sum by (node) (rate(daymark_connections_packets_passed_total{node=~"$node"}[$__rate_interval]))`, "{{node}}"},
				{`sum by (node) (rate(daymark_connections_packets_limited_total{node=~"$node"}[$__rate_interval]))`, "{{node}}: too many"},
			},
		},
	}
}

// programs are about the programs themselves.
func programs() []panel {
	return []panel{
		{
			"Duration of a pass", "How long the loops look and decide: 99 in 100.", timeseries, seconds,
			[]query{
				{`histogram_quantile(0.99, sum by (le) (rate(daymark_speaker_reconcile_duration_seconds_bucket{node=~"$node"}[$__rate_interval])))`, "speakers"},
				{`histogram_quantile(0.99, sum by (le) (rate(daymark_controller_reconcile_duration_seconds_bucket[$__rate_interval])))`, "controller"},
			},
		},
		{
			"Reports of speakers", "Speaker objects by what their report is worth. All are to be current.", timeseries, short,
			[]query{{`max by (state) (daymark_controller_speaker_reports)`, "{{state}}"}},
		},
		{
			"Writes to the API server", "By result, a second.", timeseries, perSecond,
			[]query{{`sum by (result) (rate(daymark_controller_writes_total[$__rate_interval]))`, "{{result}}"}},
		},
		{
			"Writes that wait", "Writes that wait for their turn, and Events that were dropped.", timeseries, short,
			[]query{
				{`sum by (urgency) (daymark_controller_writes_pending)`, "{{urgency}}"},
				{`sum(increase(daymark_controller_events_dropped_total[$__rate_interval]))`, "Events dropped"},
			},
		},
		{
			"API server away", "How long the API server has not answered the program that has waited longest.", timeseries, seconds,
			[]query{{`max(daymark_api_unreachable_seconds)`, "longest"}},
		},
		{
			"Versions", "How many programs of each version run.", stat, short,
			[]query{{`count by (version) (daymark_build_info)`, "{{version}}"}},
		},
	}
}

// routing is BGP and BFD.
func routing() dashboard {
	return dashboard{"Daymark: BGP and BFD", "Sessions with routers, and what they are sent.", slices.Concat(bgp(), bfd())}
}

// bgp is about sessions and what goes out by them.
func bgp() []panel {
	return []panel{
		{
			"Sessions that are up", "Of each BGPPeer, the part of the sessions that is established. 1 is good.", timeseries, "percentunit",
			[]query{{`avg by (peer) (daymark_bgp_session_up{node=~"$node"})`, "{{peer}}"}},
		},
		{
			"Sessions that are down", "Sessions that are not established. 0 is good.", stat, short,
			[]query{{`sum(1 - daymark_bgp_session_up{node=~"$node"})`, "down"}},
		},
		{
			"Prefixes announced", "Prefixes that the routers have been sent, by BGPPeer and family.", timeseries, short,
			[]query{{`sum by (peer, family) (daymark_bgp_prefixes_announced{node=~"$node"})`, "{{peer}} {{family}}"}},
		},
		{
			"Prefixes missing", "Prefixes that the routers should have and have not been sent. 0 is good.", timeseries, short,
			[]query{{`sum by (peer, family) (daymark_bgp_prefixes_desired{node=~"$node"} - daymark_bgp_prefixes_announced)`, "{{peer}} {{family}}"}},
		},
		{
			"Changes of paths", "Paths announced and withdrawn, a second.", timeseries, perSecond,
			[]query{{`sum by (peer, kind) (rate(daymark_bgp_path_changes_total{node=~"$node"}[$__rate_interval]))`, "{{peer}} {{kind}}"}},
		},
		{
			"Sessions lost", "How often established sessions went down.", timeseries, short,
			[]query{{`sum by (node, peer) (increase(daymark_bgp_session_flaps_total{node=~"$node"}[$__rate_interval]))`, "{{node}} {{peer}}"}},
		},
		{
			"Warnings", "What is not as configured although sessions are established.", timeseries, short,
			[]query{{`sum by (node, peer) (daymark_bgp_session_warnings{node=~"$node"})`, "{{node}} {{peer}}"}},
		},
		{
			"Hold time", "The hold time negotiated: how long a dead node goes unnoticed without BFD.", timeseries, seconds,
			[]query{{`max by (peer) (daymark_bgp_hold_time_seconds{node=~"$node"})`, "{{peer}}"}},
		},
	}
}

// bfd is about what watches the sessions.
func bfd() []panel {
	return []panel{
		{
			"BFD sessions", "BFD sessions by state.", timeseries, short,
			[]query{{`sum by (state) (daymark_bfd_sessions{node=~"$node"})`, "{{state}}"}},
		},
		{
			"BFD packets", "Packets received and sent, a second.", timeseries, perSecond,
			[]query{
				{`sum(rate(daymark_bfd_packets_received_total{node=~"$node"}[$__rate_interval]))`, "received"},
				{`sum(rate(daymark_bfd_packets_sent_total{node=~"$node"}[$__rate_interval]))`, "sent"},
				{`sum by (reason) (rate(daymark_bfd_packets_dropped_total{node=~"$node"}[$__rate_interval]))`, "dropped: {{reason}}"},
			},
		},
	}
}
