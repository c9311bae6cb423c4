package main

// dashboard is a title and panels, in the order in which they are read.
type dashboard struct {
	title, description string
	panels             []panel
}

// panel shows what some queries give.
type panel struct {
	title, description string
	// kind is a plug-in of Grafana's own: timeseries or stat. Unit is one of Grafana's: short, s, percentunit, ops.
	kind, unit string
	queries    []query
}

// query is an expression, and how Grafana names each series that it gives.
type query struct{ expr, legend string }

// object is one of a dashboard's JSON. Grafana's own SDK would bring 70 packages for these few fields.
type object = map[string]any

// Sizes in Grafana's grid, which is 24 wide.
const (
	width      = 12
	height     = 7
	perRow     = 24 / width
	schema     = 39
	datasource = "${datasource}"
)

// document is the dashboard as Grafana reads it.
func (d dashboard) document(uid string) object {
	panels := make([]object, len(d.panels))
	for i := range d.panels {
		panels[i] = d.panels[i].document(i)
	}
	return object{
		"uid": uid, "title": d.title, "description": d.description, "tags": []string{"daymark"}, "schemaVersion": schema,
		"editable": true, "refresh": "30s", "time": object{"from": "now-3h", "to": "now"}, "timezone": "",
		"templating": object{"list": []object{
			{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
			{
				"name": "node", "label": "Node", "type": "query", "datasource": prometheus(), "query": "label_values(daymark_speaker_failing, node)",
				"includeAll": true, "multi": true, "allValue": ".*", "current": object{"text": "All", "value": "$__all"}, "refresh": 2, "sort": 1,
			},
		}},
		"panels": panels,
	}
}

func prometheus() object { return object{"type": "prometheus", "uid": datasource} }

func (p *panel) document(i int) object {
	targets := make([]object, len(p.queries))
	for j, q := range p.queries {
		targets[j] = object{"refId": string(rune('A' + j)), "datasource": prometheus(), "expr": q.expr, "legendFormat": q.legend}
	}
	document := object{
		"id": i + 1, "type": p.kind, "title": p.title, "description": p.description, "datasource": prometheus(), "targets": targets,
		"gridPos":     object{"x": i % perRow * width, "y": i / perRow * height, "w": width, "h": height},
		"fieldConfig": object{"defaults": object{"unit": p.unit, "min": 0}, "overrides": []object{}},
	}
	if p.kind == "stat" {
		document["options"] = object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "colorMode": "none"}
	}
	return document
}
