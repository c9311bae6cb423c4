package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// orderComment above a loop over a map says why its order cannot show in the result.
const orderComment = "order does not matter:"

// checkMapOrder complains of loops over maps whose order could show in the result. A loop is accepted when
//   - its body only counts, sets elements of maps and slices, or appends to slices that are sorted later in the function,
//   - or a comment in the line above begins with "order does not matter:" and says why.
//
// The keys and values of package maps must be sorted, collected in a map, or ranged over by the same rule.
func (s *source) checkMapOrder(file *ast.File, complain func(ast.Node, string, ...any)) {
	explained := map[int]bool{}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(comment.Text, "//")), orderComment) {
				explained[s.fset.Position(group.End()).Line+1] = true
			}
		}
	}
	for _, declaration := range file.Decls {
		sorted, accepted := s.sortedIn(declaration), s.sortedCalls(declaration)
		ast.Inspect(declaration, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.RangeStmt:
				if !s.isUnordered(n.X) {
					return true
				}
				accepted[n.X] = true
				body := loopBody{source: s, loop: n, sorted: sorted}
				if !explained[s.fset.Position(n.Pos()).Line] && !body.isOrderless(n.Body) {
					complain(n, "the order of this loop over a map may show: sort, or say in a comment %q why not", "// "+orderComment+" ...")
				}
			case *ast.CallExpr:
				if s.isUnorderedIterator(n) && !accepted[n] && !explained[s.fset.Position(n.Pos()).Line] {
					complain(n, "the order of these keys or values may show: sort them")
				}
			}
			return true
		})
	}
}

// isUnordered reports whether a loop over an expression has no certain order.
func (s *source) isUnordered(expr ast.Expr) bool {
	if _, ok := s.info.TypeOf(expr).Underlying().(*types.Map); ok {
		return true
	}
	call, ok := expr.(*ast.CallExpr)
	return ok && s.isUnorderedIterator(call)
}

// isUnorderedIterator reports whether a call is maps.Keys, maps.Values or maps.All.
func (s *source) isUnorderedIterator(call *ast.CallExpr) bool {
	name, ok := s.called(call)
	return ok && (name == "maps.Keys" || name == "maps.Values" || name == "maps.All")
}

// called returns the function of a package that is called, as package.Name; false if it is anything else.
func (s *source) called(call *ast.CallExpr) (string, bool) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	function, ok := s.info.Uses[selector.Sel].(*types.Func)
	if !ok || function.Pkg() == nil || function.Signature().Recv() != nil {
		return "", false
	}
	return function.Pkg().Path() + "." + function.Name(), true
}

// isSort reports whether a call sorts its first argument, and so forgets the order that it had.
func (s *source) isSort(call *ast.CallExpr) bool {
	name, ok := s.called(call)
	return ok && len(call.Args) > 0 && (strings.HasPrefix(name, "slices.Sort") || strings.HasPrefix(name, "sort."))
}

// sortedCalls are the calls whose result is sorted or collected in a map at once.
func (s *source) sortedCalls(declaration ast.Decl) map[ast.Expr]bool {
	accepted := map[ast.Expr]bool{}
	ast.Inspect(declaration, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok && len(call.Args) > 0 {
			if name, _ := s.called(call); s.isSort(call) || name == "maps.Collect" || name == "maps.Insert" {
				for _, argument := range call.Args {
					accepted[argument] = true
				}
			}
		}
		return true
	})
	return accepted
}

// sortedIn returns for each expression that is sorted in a function, by its text, where that is done last.
func (s *source) sortedIn(declaration ast.Decl) map[string]token.Pos {
	sorted := map[string]token.Pos{}
	ast.Inspect(declaration, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok && s.isSort(call) {
			sorted[types.ExprString(call.Args[0])] = call.Pos()
		}
		return true
	})
	return sorted
}

// loopBody decides whether the body of a loop does the same in any order. It looks at the statements only: that the
// functions called in its expressions change nothing is taken for granted.
type loopBody struct {
	*source
	loop   *ast.RangeStmt
	sorted map[string]token.Pos
}

func (b loopBody) isOrderless(statement ast.Stmt) bool {
	switch s := statement.(type) {
	case nil, *ast.DeclStmt, *ast.IncDecStmt:
		return true
	case *ast.BlockStmt:
		return b.allOrderless(s.List)
	case *ast.IfStmt:
		return b.isOrderless(s.Init) && b.isOrderless(s.Body) && b.isOrderless(s.Else)
	case *ast.SwitchStmt:
		return b.isOrderless(s.Init) && b.isOrderless(s.Body)
	case *ast.CaseClause:
		return b.allOrderless(s.Body)
	case *ast.RangeStmt:
		return b.isOrderless(s.Body)
	case *ast.ForStmt:
		return b.isOrderless(s.Init) && b.isOrderless(s.Post) && b.isOrderless(s.Body)
	case *ast.BranchStmt:
		return s.Tok == token.CONTINUE
	case *ast.ReturnStmt:
		return b.isConstant(s.Results)
	case *ast.AssignStmt:
		return b.isOrderlessAssignment(s)
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		return ok && (b.isSort(call) || b.isDelete(call))
	}
	return false
}

func (b loopBody) allOrderless(list []ast.Stmt) bool {
	for _, statement := range list {
		if !b.isOrderless(statement) {
			return false
		}
	}
	return true
}

// isConstant reports whether a return gives the same result whichever round of the loop it ends.
func (b loopBody) isConstant(results []ast.Expr) bool {
	for _, result := range results {
		if value := b.info.Types[result]; value.Value == nil && !value.IsNil() {
			return false
		}
	}
	return true
}

func (b loopBody) isDelete(call *ast.CallExpr) bool {
	name, ok := call.Fun.(*ast.Ident)
	if !ok {
		return false
	}
	builtin, ok := b.info.Uses[name].(*types.Builtin)
	return ok && builtin.Name() == "delete"
}

// isOrderlessAssignment accepts new variables, variables of the loop itself, sums, and flags that once set stay set; elements of
// maps and slices, since each round has its own; and what is sorted after the loop.
func (b loopBody) isOrderlessAssignment(assignment *ast.AssignStmt) bool {
	switch assignment.Tok {
	case token.DEFINE, token.OR_ASSIGN, token.AND_ASSIGN, token.XOR_ASSIGN:
		return true
	case token.ADD_ASSIGN, token.SUB_ASSIGN:
		basic, ok := b.info.TypeOf(assignment.Lhs[0]).Underlying().(*types.Basic)
		return ok && basic.Info()&types.IsInteger != 0
	case token.ASSIGN:
		for i, target := range assignment.Lhs {
			if len(assignment.Lhs) != len(assignment.Rhs) || !b.isOrderlessWrite(target, assignment.Rhs[i]) {
				return false
			}
		}
		return true
	}
	return false
}

func (b loopBody) isOrderlessWrite(target, value ast.Expr) bool {
	text := types.ExprString(target)
	if call, ok := value.(*ast.CallExpr); ok && types.ExprString(call.Fun) == "append" {
		return b.isLocal(target) || b.sorted[text] > b.loop.End()
	}
	if _, ok := target.(*ast.IndexExpr); ok || text == "_" || b.isLocal(target) {
		return true
	}
	if binary, ok := value.(*ast.BinaryExpr); ok && (binary.Op == token.LAND || binary.Op == token.LOR) {
		return strings.HasPrefix(types.ExprString(value), text+" ")
	}
	return b.isConstant([]ast.Expr{value})
}

// isLocal reports whether the loop declares what is written to, so that every round has its own.
func (b loopBody) isLocal(target ast.Expr) bool {
	name := root(target)
	if name == nil {
		return false
	}
	object := b.info.ObjectOf(name)
	return object != nil && b.loop.Pos() <= object.Pos() && object.Pos() < b.loop.End()
}
