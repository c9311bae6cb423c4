package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/view"
)

// The picture's measures, in its own units. It has three columns: clients, the ways to the nodes, nodes.
const (
	pictureWidth                        = 960
	clientsWidth                        = 116
	waysAt, waysWidth, wayHeight        = 216, 252, 64
	nodesAt, nodesWidth, nodeHeight     = 640, 319, 48
	gap                                 = 12
	mostWays, mostBoxes, cellsInRow     = 7, 12, 12
	cellGap, cellHeight, headOfCells    = 4, 22, 44
	textMargin, firstLine, betweenLines = 14, 21, 17
)

// picture of the network, to be drawn. Its text says the same in short.
type picture struct {
	Width, Height int
	Text          string
	Lines         []line
	Boxes         []box
	Cells         []cell
}

// line between two boxes.
type line struct{ Path, Class string }

// box with a title and texts below it. Mark stands at its right, when something is to be seen.
type box struct {
	X, Y, Width, Height int
	Class, Title, Mark  string
	TextX, TitleY       int
	MarkX               int
	Texts               []text
}

type text struct {
	X, Y int
	Text string
}

// cell is a node among many.
type cell struct {
	X, Y, Width, Height int
	Class, Title        string
}

// way from clients to nodes: the segment, or a router.
type way struct {
	name  string
	texts []string
	// mark stands at the right of the name; empty: none.
	mark string
	// class of the box, and line that of its lines to nodes.
	class, line string
	// to says by which nodes it leads, and in which class of line; empty: not to this node.
	to func(*view.NodeLine) string
}

func newBox(x, y, width, height int, class, title string, texts ...string) box {
	b := box{
		X: x, Y: y, Width: width, Height: height, Class: class, Title: short(title, width/10),
		TextX: x + textMargin, TitleY: y + firstLine, MarkX: x + width - textMargin,
	}
	for i, t := range texts {
		b.Texts = append(b.Texts, text{b.TextX, b.TitleY + (i+1)*betweenLines, short(t, width/7)})
	}
	return b
}

// short is a text that fits.
func short(text string, most int) string {
	if letters := []rune(text); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return text
}

func (b *box) left() (x, y int)  { return b.X, b.Y + b.Height/2 }
func (b *box) right() (x, y int) { return b.X + b.Width, b.Y + b.Height/2 }

// connect draws a line from the right side of a box to the left side of another.
func connect(from, to *box, class string) line {
	x1, y1 := from.right()
	x2, y2 := to.left()
	middle := (x1 + x2) / 2
	return line{fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, middle, y1, middle, y2, x2, y2), class}
}

// draw the network. Nodes have boxes while they are few, and cells without lines of their own when they are many.
func draw(n *view.Network) *picture {
	ways := waysOf(n)
	waysHeight := len(ways)*(wayHeight+gap) - gap
	nodesHeight := len(n.Nodes)*(nodeHeight+gap) - gap
	many := len(n.Nodes) > mostBoxes
	if many {
		rows := (len(n.Nodes) + cellsInRow - 1) / cellsInRow
		nodesHeight = headOfCells + rows*(cellHeight+cellGap) + gap
	}
	p := &picture{Width: pictureWidth, Height: max(waysHeight, nodesHeight, wayHeight) + 2, Text: describe(n)}
	clients := newBox(1, (p.Height-nodeHeight)/2, clientsWidth, nodeHeight, "clients", "Clients")
	clients.TitleY += (nodeHeight - 2*firstLine) + 4
	var nodes []box
	if many {
		nodes = append(nodes, p.drawCells(n.Nodes, (p.Height-nodesHeight)/2, nodesHeight))
	} else {
		nodes = boxesOf(n.Nodes, max(1, (p.Height-nodesHeight)/2))
	}
	y := max(1, (p.Height-waysHeight)/2)
	for _, w := range ways {
		b := newBox(waysAt, y, waysWidth, wayHeight, w.class, w.name, w.texts...)
		b.Mark = w.mark
		p.Lines = append(p.Lines, connect(&clients, &b, "way"))
		p.connectWay(&w, &b, n.Nodes, nodes)
		p.Boxes = append(p.Boxes, b)
		y += wayHeight + gap
	}
	p.Boxes = append(append(p.Boxes, clients), nodes...)
	return p
}

// connectWay draws the lines of a way to the nodes, or to the box of all.
func (p *picture) connectWay(w *way, from *box, nodes []view.NodeLine, boxes []box) {
	if len(boxes) != len(nodes) {
		p.Lines = append(p.Lines, connect(from, &boxes[0], w.line))
		return
	}
	for i := range nodes {
		if class := w.to(&nodes[i]); class != "" {
			p.Lines = append(p.Lines, connect(from, &boxes[i], class))
		}
	}
}

// waysOf a network: the segment first, then routers, those with something wrong first. Of many the last box stands for the rest.
func waysOf(n *view.Network) (ways []way) {
	if n.Layer2 {
		ways = append(ways, segment(n))
	}
	routers := slices.Clone(n.Routers)
	slices.SortStableFunc(routers, func(a, b view.RouterLine) int { return cmp.Compare(rank(a.Wrong), rank(b.Wrong)) })
	for i := range routers {
		if rest := len(routers) - i; len(ways) == mostWays-1 && rest > 1 {
			none := func(*view.NodeLine) string { return "" }
			return append(ways, way{name: output.Count(rest, "more router"), texts: []string{"in the table below"}, line: "up", to: none})
		}
		ways = append(ways, router(&routers[i]))
	}
	return ways
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}

func segment(n *view.Network) way {
	var held int32
	for i := range n.Nodes {
		if n.Nodes[i].State != view.NodeGone {
			held += n.Nodes[i].Held
		}
	}
	return way{
		name: "Segment", texts: []string{"ARP and NDP", output.Count(int(held), "address") + " held"}, line: "up",
		to: func(node *view.NodeLine) string {
			switch {
			case node.Held == 0:
				return ""
			case node.State == view.NodeGone:
				return "down"
			}
			return "up"
		},
	}
}

func router(r *view.RouterLine) way {
	sessions := fmt.Sprintf("%d of %s", r.Established, output.Count(int(r.Nodes), "session"))
	if r.BFD {
		sessions += fmt.Sprintf(", BFD up on %d", r.BFDUp)
	}
	if r.NotAccepted != "" {
		sessions = "edit not accepted, " + sessions // The table below says why.
	}
	w := way{name: r.Name, texts: []string{r.Where, sessions}, mark: "AS " + r.ASN, line: "up"}
	if r.Wrong {
		w.class, w.line = "down", "down"
	}
	w.to = func(node *view.NodeLine) string {
		class := ""
		for _, s := range node.Sessions {
			if s.Peer != r.Name {
				continue
			}
			if s.State != "Established" || node.State == view.NodeGone {
				return "down"
			}
			class = "up"
		}
		return class
	}
	return w
}

func boxesOf(nodes []view.NodeLine, y int) (boxes []box) {
	for i := range nodes {
		b := newBox(nodesAt, y, nodesWidth, nodeHeight, "node "+classOf(nodes[i].State), nodes[i].Node, does(&nodes[i]))
		b.Mark = stateOf(&nodes[i])
		boxes = append(boxes, b)
		y += nodeHeight + gap
	}
	return boxes
}

// drawCells draws a box with a cell for each node.
func (p *picture) drawCells(nodes []view.NodeLine, y, height int) box {
	counts := map[view.NodeState]int{}
	width := (nodesWidth-2*textMargin+cellGap)/cellsInRow - cellGap
	for i := range nodes {
		counts[nodes[i].State]++
		p.Cells = append(p.Cells, cell{
			nodesAt + textMargin + i%cellsInRow*(width+cellGap), y + headOfCells + i/cellsInRow*(cellHeight+cellGap), width, cellHeight,
			classOf(nodes[i].State), nodes[i].Node + ": " + cmp.Or(stateOf(&nodes[i]), "ready") + ", " + does(&nodes[i]),
		})
	}
	b := newBox(nodesAt, y, nodesWidth, height, "nodes", output.Count(len(nodes), "node"))
	b.Mark = fmt.Sprintf("%d ready", counts[view.NodeReady])
	return b
}

// does says what a node holds and what it tells routers.
func does(n *view.NodeLine) string {
	var texts []string
	if n.Held > 0 {
		texts = append(texts, fmt.Sprintf("holds %d", n.Held))
	}
	if told := n.Told(); told > 0 {
		texts = append(texts, "announces "+output.Count(int(told), "prefix"))
	}
	if len(texts) == 0 {
		return "announces nothing"
	}
	if n.State == view.NodeGone {
		return "said last: " + strings.Join(texts, ", ")
	}
	return strings.Join(texts, ", ")
}

// stateOf a node in words; empty: it is as it should be.
func stateOf(n *view.NodeLine) string {
	switch n.State {
	case view.NodeReady:
	case view.NodeNotReady:
		return "node not ready"
	case view.NodeGone:
		return "speaker gone"
	case view.NodeSilent:
		return "no speaker seen"
	case view.NodeComplains:
		return n.Reason
	}
	return ""
}

func classOf(state view.NodeState) string {
	switch state {
	case view.NodeReady:
		return "good"
	case view.NodeGone, view.NodeNotReady:
		return "bad"
	case view.NodeSilent:
		return "unknown"
	case view.NodeComplains:
	}
	return "warn"
}

// describe the picture for who does not see it; the table says all.
func describe(n *view.Network) string {
	var ways []string
	if n.Layer2 {
		ways = append(ways, "the nodes' own segment")
	}
	for i := range n.Routers {
		if i == mostWays {
			ways = append(ways, "others")
			break
		}
		ways = append(ways, fmt.Sprintf("router %s, which has sessions with %d of %d nodes", n.Routers[i].Name, n.Routers[i].Established, n.Routers[i].Nodes))
	}
	if len(ways) == 0 {
		ways = append(ways, "nothing: there is neither an L2Advertisement nor a BGPPeer")
	}
	return fmt.Sprintf("Clients reach %s by %s.", output.Count(len(n.Nodes), "node"), strings.Join(ways, "; "))
}
