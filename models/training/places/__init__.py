# SPDX-License-Identifier: Apache-2.0
"""True-to-life places, drawn from seeds and ray-cast: furnished rooms, kitchens, tables, stacks, stairs and arches, streets, gardens.

Beside the simpler generator of `layouts` and `shading`, which stays as it was frozen. `drawing.draw_place(seed)` gives a
`Place`, plain rounded numbers; `rendering.render_place` gives its picture and exact planar depth.
"""
