// How far a point lies from the line through points, which may be a single one.
export function distanceToLine(x, y, points) {
  let nearest = Infinity;
  for (let at = 0; at < Math.max(points.length - 1, 1); at++) {
    const [ax, ay] = points[at], [bx, by] = points[at + 1] ?? points[at];
    const dx = bx - ax, dy = by - ay;
    const share = Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / Math.max(dx * dx + dy * dy, 1e-12), 0), 1);
    nearest = Math.min(nearest, (x - ax - share * dx) ** 2 + (y - ay - share * dy) ** 2);
  }
  return Math.sqrt(nearest);
}
